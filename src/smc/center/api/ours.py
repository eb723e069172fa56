"""The table of what this API has beside the public one, and by which verb the command line does each action.

docs/reference/api.md is made from it; a test holds it to the actions that are served, to their parameters and
to the command line. A new action or parameter gets its row here.
"""

from collections.abc import Mapping

# By action the verbs of `smc` that ask for it, its own one first.
VERBS: Mapping[str, tuple[str, ...]] = {
    # public
    "AssociateSourceServers": ("workgroup add", "workgroup create"),
    "CreateAccessToken": ("token create",),
    "CreateCrossZoneMigrationJob": ("instance move",),
    "CreateReplicationJob": ("job create",),
    "CreateWorkgroup": ("workgroup create",),
    "CutOverReplicationJob": ("job cutover",),
    "DeleteAccessToken": ("token delete",),
    "DeleteReplicationJob": ("job delete", "job cancel"),
    "DeleteSourceServer": ("source delete",),
    "DeleteWorkgroup": ("workgroup delete",),
    "DescribeReplicationJobs": ("job list", "job show"),
    "DescribeSourceServers": ("source list",),
    "DescribeWorkgroups": ("workgroup list",),
    "DisableAccessToken": ("token disable",),
    "DisassociateSourceServers": ("workgroup remove",),
    "ListAccessTokens": ("token list",),
    "ListTagResources": ("tag list",),
    "ModifyReplicationJobAttribute": ("job modify",),
    "ModifySourceServerAttribute": ("source modify", "source rename"),
    "ModifyWorkgroupAttribute": ("workgroup modify",),
    "StartReplicationJob": ("job start",),
    "StopReplicationJob": ("job stop",),
    "TagResources": ("tag add",),
    "UntagResources": ("tag remove",),
    # ours
    "CancelBatch": ("workgroup cancel",),
    "CreateAccessKey": ("key create",),
    "CreateInstanceFromImage": ("instance create",),
    "CreateSubscription": ("subscription create",),
    "CreateTemplate": ("template create",),
    "CreateUser": ("user create",),
    "CutOverWorkgroupJobs": ("workgroup cutover",),
    "DeleteAccessKey": ("key delete",),
    "DeleteImage": ("image delete",),
    "DeleteInstanceFromImage": ("instance delete",),
    "DeleteSubscription": ("subscription delete",),
    "DeleteTemplate": ("template delete",),
    "DeleteUser": ("user delete",),
    "DescribeAccessKeys": ("key list",),
    "DescribeBatches": ("workgroup batches",),
    "DescribeDiagnosticBundle": ("job diagnostics",),
    "DescribeDiagnostics": ("job diagnostics",),
    "DescribeDrillReports": ("drill show",),
    "DescribeEvents": ("event list",),
    "DescribeExport": ("image export",),
    "DescribeImageCheck": ("job check",),
    "DescribeImages": ("image list",),
    "DescribeImportCommand": ("token create",),
    "DescribeInstanceTypes": ("target types",),
    "DescribeJobLog": ("job log",),
    "DescribeJobProgress": ("job progress", "job watch"),
    "DescribePlan": ("job plan", "job create", "job modify"),
    "DescribeRegions": ("target regions",),
    "DescribeReports": ("job report",),
    "DescribeSecurityGroups": ("target groups",),
    "DescribeSubscriptions": ("subscription list",),
    "DescribeTargetInstances": ("target instances",),
    "DescribeTemplates": ("template list",),
    "DescribeUsers": ("user list",),
    "DescribeVSwitches": ("target vswitches",),
    "DescribeVpcs": ("target vpcs",),
    "DescribeVerificationEvidence": ("job evidence",),
    "DescribeVerifications": ("job verifications", "job verify"),
    "DescribeZones": ("target zones",),
    "DisableAccessKey": ("key disable",),
    "EnableAccessKey": ("key enable",),
    "EstimateMigration": ("drill estimate",),
    "ExportImage": ("image export",),
    "ModifySubscription": ("subscription modify",),
    "ModifyTemplate": ("template modify",),
    "RetryDrill": ("drill retry",),
    "SetPassword": ("user password",),
    "StartWorkgroupJobs": ("workgroup start",),
    "TestSubscription": ("subscription test",),
    "VerifyMigrationResult": ("job verify",),
}
LOCAL_VERBS = ("serve", "appliance", "cloud", "image check")  # they ask no center

_NAME_PREFIX = "The image is named prefix_JOBID, cut to 128 characters; not together with ImageName"
_METHOD = "What begins by itself; without it the job waits for StartReplicationJob or its ScheduledStartTime"
_EXCLUDES = "Patterns of what is left behind, as rsync excludes; with Disk of that disk alone"
_IP_MODE = "Whether the copy asks for its addresses or keeps those of the source"
_CONFIRM_ERASE = "The target instance's id: that what its disks hold is erased is meant"
_PRIVATE_IP = "Of the target instance afterwards; without it as it is"
_IMAGE_CHECK = (
    "Whether the converted copy is checked as an image; what is found never fails the job. Default true"
)
_DIAGNOSTICS = "Whether agent and receiver send their logs at the end of a run. Default true"
_TEMPLATE = "A template; what the request itself gives goes first. For images only"
_NOT_PUBLIC = "As in CreateReplicationJob; the public API has it there alone"

PARAMETERS: Mapping[str, Mapping[str, str]] = {  # public action -> parameter of ours -> what it means
    "CreateAccessToken": {"WorkgroupId": "The workgroup that imported servers join"},
    "CreateReplicationJob": {
        "ConfirmErase": _CONFIRM_ERASE,
        "ExecutionMethod": _METHOD,
        "Excludes": _EXCLUDES,
        "ImageCheck": _IMAGE_CHECK,
        "ImageNamePrefix": _NAME_PREFIX,
        "IpMode": _IP_MODE,
        "PrivateIpAddress": _PRIVATE_IP,
        "TemplateId": _TEMPLATE,
        "UploadDiagnosticLogs": _DIAGNOSTICS,
    },
    "ModifyReplicationJobAttribute": {
        "ConfirmErase": _CONFIRM_ERASE,
        "Disks": _NOT_PUBLIC,
        "ExecutionMethod": _METHOD,
        "Excludes": f"{_EXCLUDES}; they replace all those before, and ! alone leaves none",
        "ImageCheck": _IMAGE_CHECK,
        "ImageNamePrefix": _NAME_PREFIX,
        "IpMode": _IP_MODE,
        "LicenseType": _NOT_PUBLIC,
        "PrivateIpAddress": _PRIVATE_IP,
        "Tag": f"{_NOT_PUBLIC}; they replace all those before",
        "TemplateId": _TEMPLATE,
        "UploadDiagnosticLogs": _DIAGNOSTICS,
    },
    "ModifySourceServerAttribute": {"ResourceGroupId": "The resource group of the source"},
}
