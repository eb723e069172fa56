"""What of the public API is not here, each with its reason: a test walks the models of the official SDK."""

from collections.abc import Mapping

IGNORED = {  # parameters of every action
    "OwnerId": "of the vendor's accounts; what it does is not published.",
    "ResourceOwnerAccount": "of the vendor's accounts; what it does is not published.",
}

_JOB = "ReplicationJobs.ReplicationJob"
EMPTY_FIELDS: Mapping[str, Mapping[str, str]] = {  # action -> field of the answer -> why it has no value
    "DescribeReplicationJobs": {
        f"{_JOB}.Disks.Data.Data.DiskId": "it is of jobs onto an instance alone.",
        f"{_JOB}.Disks.System.DiskId": "an instance that is the target gets another system disk.",
    },
}
