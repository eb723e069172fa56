"""What jobs delivered (ours): images, and instances made from them."""

import re
from collections.abc import Sequence

from smc.base.errors import UserError
from smc.center.api.asked.target import version_without_template
from smc.center.api.context import Context
from smc.center.api.words import Short, Text, check_name, invalid, written
from smc.center.instances import Opening, Template, create_instance, delete_instance
from smc.center.store.resources import IMAGE, INSTANCE
from smc.center.store.values import Made
from smc.cloud.driver import Kind
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request

PORT = re.compile(r"(\d{1,5})(?:=(\d{1,5}))?")


class DescribeImages(Request, frozen=True, kw_only=True):
    image_id: tuple[str, ...] = ()
    job_id: str = ""


class DeleteImage(Request, frozen=True, kw_only=True):
    image_id: str


class CreateInstanceFromImage(Request, frozen=True, kw_only=True):
    """`open_port`: TCP ports, `22` or (local cloud) `22=40022`; `source_cidr_ip` may reach them."""

    image_id: str
    instance_name: str = ""
    open_port: tuple[str, ...] = ()
    source_cidr_ip: Text = ""
    instance_type: Text = ""
    launch_template_id: Short = ""
    launch_template_version: Short = ""


class DeleteInstanceFromImage(Request, frozen=True, kw_only=True):
    instance_id: str


class ImageActions:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = context.store

    def actions(self) -> Actions:
        return {
            "DescribeImages": action(DescribeImages, self._describe),
            "DeleteImage": action(DeleteImage, self._delete),
            "CreateInstanceFromImage": action(CreateInstanceFromImage, self._create_instance),
            "DeleteInstanceFromImage": action(DeleteInstanceFromImage, self._delete_instance),
        }

    def _describe(self, request: DescribeImages, _caller: Caller) -> Reply:
        """Delivered images with their instances; images that are gone from the cloud are forgotten."""
        images = []
        for made in self._store.resources.kept(purpose=IMAGE, kind=Kind.IMAGE, job=request.job_id):
            if request.image_id and made.id not in request.image_id:
                continue
            image = self._context.driver.image(made.id)
            if image is None:
                self._store.resources.released(Kind.IMAGE, made.id)
                continue
            images.append(
                {
                    "ImageId": made.id,
                    "ImageName": image.name,
                    "Status": image.state.value,
                    "Progress": image.percent,
                    "JobId": made.job,
                    "CreationTime": written(made.created),
                    "Instances": {"InstanceId": [instance.id for instance in self._instances(made.id)]},
                }
            )
        return {"TotalCount": len(images), "Images": {"Image": images}}

    def _delete(self, request: DeleteImage, _caller: Caller) -> Reply:
        """Delete a delivered image and the snapshots behind it; refused while an instance here uses it."""
        image = self._image(request.image_id)
        if self._store.verifications.is_busy(image.id):
            raise UserError(
                f"The image {image.id} is being verified.",
                code="ImageUsed",
                hint="Wait until that has ended: DescribeVerifications shows it.",
            )
        if running := self._instances(image.id):
            raise UserError(
                f"The image {image.id} is used by {', '.join(instance.id for instance in running)}.",
                code="ImageUsed",
                hint="Delete the instances first (DeleteInstanceFromImage).",
            )
        self._context.driver.delete(Kind.IMAGE, image.id)
        self._store.resources.released(Kind.IMAGE, image.id)
        return {}

    def _create_instance(self, request: CreateInstanceFromImage, caller: Caller) -> Reply:
        """Make an instance with a network of its own. `OpenPort`: TCP ports, `22` or in a local cloud
        `22=40022`, which `SourceCidrIp` may reach (default: the caller). What is not said is taken from the
        launch template, the job's if none is given; then also the instance type.
        """
        image = self._image(request.image_id)
        if request.instance_name:
            check_name(request.instance_name, "InstanceName")
        instance = create_instance(
            self._context.store,
            self._context.driver,
            image,
            name=request.instance_name or f"{image.name[:100]}_instance",
            openings=_openings(request.open_port),
            cidr=request.source_cidr_ip or _only(caller.address),
            instance_type=request.instance_type,
            template=self._template(request, image),
        )
        return {"InstanceId": instance}

    def _template(self, request: CreateInstanceFromImage, image: Made) -> Template:
        """That of the request, else that of the job, in the request's version if it says one."""
        asked, job = request.launch_template_id, self._store.jobs.find(image.job)
        if asked or job is None:
            found = Template(id=asked, version=request.launch_template_version)
        else:
            version = request.launch_template_version or job.request.launch_template_version
            found = Template(id=job.request.launch_template_id, version=version)
        if found.version and not found.id:
            raise version_without_template()
        return found

    def _delete_instance(self, request: DeleteInstanceFromImage, _caller: Caller) -> Reply:
        """Release such an instance with what was made for it."""
        made = self._store.resources.find(Kind.INSTANCE, request.instance_id)
        if made is None or made.purpose != INSTANCE:
            raise UserError(
                f"No instance {request.instance_id} was made here from an image.",
                code="InvalidInstanceId.NotFound",
                hint="DescribeImages shows the instances of each image.",
            )
        delete_instance(self._context.store, self._context.driver, made.id)
        return {}

    def _image(self, image_id: str) -> Made:
        made = self._store.resources.find(Kind.IMAGE, image_id)
        if made is None or made.purpose != IMAGE:
            raise UserError(
                f"No job here delivered an image {image_id}.",
                code="InvalidImageId.NotFound",
                hint="DescribeImages lists the images.",
            )
        return made

    def _instances(self, image: str) -> Sequence[Made]:
        return self._store.resources.kept(purpose=INSTANCE, parent=image, kind=Kind.INSTANCE)


def _openings(texts: Sequence[str]) -> list[Opening]:
    openings = []
    for text in texts:
        found = PORT.fullmatch(text)
        ports = [int(port) for port in found.groups() if port] if found else []
        if not ports or not all(1 <= port <= 65535 for port in ports):
            raise invalid("OpenPort", f"{text!r} is not a port.", "Give 22, or in a local cloud 22=40022.")
        openings.append(Opening(port=ports[0], host_port=ports[1] if len(ports) > 1 else 0))
    return openings


def _only(address: str) -> str:
    return f"{address}/{128 if ':' in address else 32}"
