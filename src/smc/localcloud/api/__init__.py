"""The actions of the ECS and VPC APIs: each checks a request, writes what shall be, and answers."""
