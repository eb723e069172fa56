"""The Driver over the official ECS and VPC SDKs."""
