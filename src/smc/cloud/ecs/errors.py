"""What the cloud's error codes mean for us: ask the person, wait and repeat, or stop; with a cure for each.

The codes are those of the vendor's API reference; the first row whose prefix fits decides.
"""

from smc.base.errors import Broken, SmcError, Transient, UserError

NO_STOCK = (  # this instance type cannot be had here and now: the next one may
    "OperationDenied.NoStock",
    "OperationDenied.ZoneNotAllowed",
    "OperationDenied.PerformanceLevelNotMatch",
    "InvalidResourceType.NotSupported",
    "InvalidInstanceType.NotSupport",
    "InvalidInstanceType.ZoneNotSupported",
    "InvalidInstanceType.NotSupportDiskCategory",
    "InvalidInstanceType.ValueNotSupported",
    "InvalidInstanceType.ValueUnauthorized",
    "InvalidSystemDiskCategory.ValueNotSupported",
    "Zone.NotOnSale",
    "Zone.NotOpen",
)

_PERMISSION = (
    "Give the account of the access key the rights to manage ECS and VPC, among them to create instances."
)
_KEY = "Check the access key of the cloud in the settings of the center."
_QUOTA = "Ask the cloud for a larger quota, or release what is not needed."

_MEANINGS: tuple[tuple[str, type[SmcError], str], ...] = (
    ("Throttling", Transient, ""),
    ("ServiceUnavailable", Transient, ""),
    ("InternalError", Transient, ""),
    ("UnknownError", Transient, ""),
    ("RequestTimeout", Transient, ""),
    ("Operation.Conflict", Transient, ""),
    ("OperationConflict", Transient, ""),
    ("TaskConflict", Transient, ""),
    ("LastTokenProcessing", Transient, ""),
    ("IncorrectStatus", Transient, ""),
    ("IncorrectInstanceStatus", Transient, ""),
    ("IncorrectDiskStatus", Transient, ""),
    ("IncorrectSnapshotStatus", Transient, ""),
    ("IncorrectImageStatus", Transient, ""),
    ("IncorrectVpcStatus", Transient, ""),
    ("IncorrectVSwitchStatus", Transient, ""),
    ("InvalidVpcStatus", Transient, ""),
    ("InvalidVSwitchId.Status", Transient, ""),
    ("InvalidSnapshotId.NotReady", Transient, ""),
    ("InvalidImageId.NotReady", Transient, ""),
    ("SnapshotsCreatingForThisDisk", Transient, ""),
    ("DependencyViolation", Transient, ""),
    ("SnapshotCreatedImage", Transient, ""),
    ("ImageUsingByInstance", Transient, ""),
    ("DiskCreatingSnapshot", Transient, ""),
    ("IdempotentParameterMismatch", Broken, ""),
    ("IdempotenceParamNotMatch", Broken, ""),
    ("InvalidAccountStatus.NotEnoughBalance", UserError, "Top up the cloud account: it pays as it goes."),
    (
        "InvalidAccountStatus.SnapshotServiceUnavailable",
        UserError,
        "Activate the snapshot service in the cloud console.",
    ),
    ("InvalidAccountStatus", UserError, "Look at the state of the cloud account in its console."),
    ("Account.Arrearage", UserError, "Pay the cloud account's bills."),
    ("Forbidden.SubUser", UserError, "Let the RAM user create instances, or use another access key."),
    ("Forbidden", UserError, _PERMISSION),
    ("NoPermission", UserError, _PERMISSION),
    ("RealNameAuthenticationError", UserError, "Complete the real-name verification of the cloud account."),
    ("InvalidAccessKeyId", UserError, _KEY),
    ("IncompleteSignature", UserError, _KEY),
    ("SignatureDoesNotMatch", UserError, _KEY),
    ("IllegalTimestamp", UserError, "Set the clock of the center's machine."),
    ("InvalidTimeStamp", UserError, "Set the clock of the center's machine."),
    ("QuotaExceeded.Vpc", UserError, "Choose a vSwitch for the job, or release a VPC."),
    ("QuotaExceed", UserError, _QUOTA),
    ("InstanceDiskNumLimitExceed", UserError, _QUOTA),
    ("InstanceDiskLimitExceeded", UserError, _QUOTA),
    ("SnapshotQuotaExceeded", UserError, _QUOTA),
    ("ImageNumLimitExceeded", UserError, _QUOTA),
    ("OperationDenied.NoStock", UserError, "Choose another instance type or another zone, or try later."),
    ("Zone.NotO", UserError, "Choose a vSwitch in another zone."),
    ("InvalidImageName.Duplicated", UserError, "Choose another image name."),
    ("InvalidVSwitchId", UserError, "Choose a vSwitch that exists in the region of the job."),
    ("InvalidParameter.Mismatch", UserError, "Choose a vSwitch and security groups of one VPC and zone."),
    ("ResourcesNotInSameZone", UserError, "Choose what is in one zone."),
    ("InvalidInstanceType", UserError, "Choose an instance type that is on sale in the zone."),
    ("InvalidDiskSize", UserError, "Choose another disk size."),
    ("InvalidSystemDiskSize", UserError, "A system disk cannot become smaller than it was."),
    ("InvalidPrivateIp", UserError, "Choose another private address."),
    ("InstanceSecurityGroupLimit", UserError, "Take the instance out of one of its security groups."),
    ("MissingParameter.OSSBucket", UserError, "Name the bucket that the image is to be exported to."),
    ("InvalidOSSBucket", UserError, "Name a bucket of the same region that the account owns."),
    ("InvalidOSSPrefix", UserError, "Choose another prefix for the exported files."),
    ("InvalidRamRole", UserError, "Name a role that lets the image service write into the bucket."),
    ("InvalidImageFormat", UserError, "Choose another format."),
    ("InvalidRegionId", UserError, "Choose a region of the cloud."),
    (
        "InvalidLaunchTemplate",
        UserError,
        "Choose a launch template of the region, and a version that it has.",
    ),
    ("InvalidResourceGroup", UserError, "Choose a resource group of the account."),
    ("InvalidZoneId", UserError, "Choose a zone of the region."),
    ("OperationDenied", UserError, "See the message; the cloud's console tells more."),
)


def translate(code: str, message: str, request_id: str) -> SmcError:
    """The error that this code stands for; it keeps the cloud's code, and the request id for the vendor."""
    text = f"The cloud says: {message}" + (f" (request {request_id})" if request_id else "")
    for prefix, kind, cure in _MEANINGS:
        if code.startswith(prefix):
            return kind(text, code=code, hint=cure)
    return Broken(text, code=code or "Cloud.UnknownError", hint="The log of the center has the request.")


def is_gone(code: str) -> bool:
    """What was asked about does not exist: `InvalidInstanceId.NotFound`, `InvalidVSwitchID.NotFound`, ..."""
    return code.endswith((".NotFound", ".NotExist", ".NotExists"))
