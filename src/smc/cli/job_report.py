"""The report of a run as a person reads it."""

from smc.base.units import readable_size
from smc.cli.output import out, show_table
from smc.client.api import Json


def print_report(report: Json) -> None:
    out.print(f"[bold]Run {report['run']}[/]")
    for proof in report["proof"]:
        equal = "equal" if proof["sent"] == proof["written"] else "NOT EQUAL"
        out.print(
            f"  disk {proof['disk']} partition {proof['partition']}: {proof['files']} files, "
            f"{proof['bytes']} bytes, {equal} (SHA-256 {proof['written'][:16]}..., {proof['by']})"
        )
    out.print(
        f"  on the wire: {readable_size(report['wire'])}; "
        f"sent again after cuts: {readable_size(report['resent'])}"
    )
    for one in report["verification"]:
        out.print(
            f"  verification {one['id']}: {one['result']} {one['code']}: {one['message']}", markup=False
        )
    show_table(("CHECK", "LEVEL", "FINDING", "CURE"), _checks(report))
    show_table(("CHANGED", "WHY"), ((change["path"], change["why"]) for change in report["changes"]))
    show_table(("DID NOT HOLD STILL", "WHY"), ((m["path"], m["why"]) for m in report["moving"]))


def _checks(report: Json) -> list[tuple[str, str, str, str]]:
    return [(c["item"], c["level"], c["finding"], c["cure"]) for c in report["checks"]]
