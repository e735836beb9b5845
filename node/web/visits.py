"""How a page is asked for: a `Visit` is one request of somebody who may make it.

A page is a function from a `Visit` to a response. `get` and `post` are the only ways to make a route of one, and both
want a role, so that nothing is open by mistake. Pages run in threads; the ledger has a connection for each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from node.audit import people
from node.errors import NodeError
from node.jobs import JobId
from node.log import Event, emit_error
from node.web.gate import Denied, admitted, check_form, check_origin, keep_session, person
from node.web.users import UserRole

if TYPE_CHECKING:
    from starlette.requests import Request

    from node.audit.people import Decision, Look, Person
    from node.settings import Settings
    from node.web.console import Console
    from node.web.sessions import Session
    from node.web.users import User

FORM_BYTES = 1 << 20
_MOST_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Visit:
    """One request.

    Attributes
    ----------
    form
        of a POST: the last value of each field
    form_lists
        of a POST: all values of each field
    body
        of a POST that is no form
    """

    console: Console
    request: Request
    user: User
    session: Session
    form: Mapping[str, str]
    form_lists: Mapping[str, list[str]]
    body: bytearray

    @property
    def settings(self) -> Settings:
        """The node's configuration."""
        return self.console.settings

    @property
    def person(self) -> Person:
        """The user, as the audit log names them."""
        return person(self.user, self.request)

    def may(self, role: str) -> bool:
        """Say whether the user may do what a role is needed for; templates ask."""
        return self.user.role.allows(UserRole(role))

    def param(self, name: str) -> str:
        """Give a part of the path, as ``{name}`` in the route has it."""
        return str(self.request.path_params[name])

    def query(self, name: str, default: str = "") -> str:
        """Give a parameter after the ``?``; nothing of a patient may be in one."""
        return self.request.query_params.get(name, default)

    def number(self, name: str, default: int = 0) -> int:
        """Give a parameter after the ``?`` that is a whole number.

        Raises
        ------
        Denied
            400, if it is none, or greater than any that there is
        """
        return self._number(text, name) if (text := self.query(name)) else default

    def param_number(self, name: str) -> int:
        """Give a part of the path that is a whole number; raises as `number` does."""
        return self._number(self.param(name), name)

    @staticmethod
    def _number(text: str, name: str) -> int:
        if not text.isdecimal() or len(text) > _MOST_DIGITS:
            raise Denied(400, f"{name} is no number.")
        return int(text)

    def job_id(self) -> JobId:
        """Give the job that the path names as ``{job}``.

        Raises
        ------
        Denied
            404, if that is none
        """
        try:
            return JobId(self.param("job"))
        except ValueError:
            raise Denied(404, "There is no such instance.") from None

    def looks(self, look: Look, *jobs: JobId) -> None:
        """Write into the audit log that the user looks at patient data; call it before anything of that is read.

        Parameters
        ----------
        jobs
            whose; none for a file that the user brought

        Raises
        ------
        Transient
            if it can't be written: then it must not happen; likewise for `decides`
        """
        people.looked_at(self.settings, self.person, look, jobs=list(jobs))

    def decides(self, decision: Decision, *jobs: JobId) -> None:
        """Write into the audit log what the user decides about instances; call it before that is done."""
        people.decided(self.settings, self.person, decision, jobs=list(jobs))

    def page(self, template: str, status: int = 200, **values: Any) -> Response:  # noqa: ANN401  what templates take
        """Answer with a page."""
        text = self.console.templates.get_template(template).render(visit=self, **values)
        return HTMLResponse(text, status)

    def redirect(self, path: str, done: str = "", failed: str = "", **query: str) -> Response:
        """Go to a page, with a notice there; after each POST, so that a reload does nothing again."""
        for kind, text in (("done", done), ("failed", failed)):
            if text:
                self.session.tell(kind, text)
        return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, 303)


View = Callable[[Visit], Response]


def get(path: str, view: View, role: UserRole) -> Route:
    """Make a route of a page that changes nothing."""
    return Route(path, _endpoint(view, role, 0, is_form=False), methods=["GET"])


def post(path: str, view: View, role: UserRole) -> Route:
    """Make a route of what a form does; its CSRF token is checked (field ``csrf`` or header ``X-CSRF-Token``)."""
    return Route(path, _endpoint(view, role, FORM_BYTES, is_form=True), methods=["POST"])


def upload(path: str, view: View, role: UserRole, most_bytes: int) -> Route:
    """Make a route of what takes a file as the body of a POST, in memory; its CSRF token is the header's."""
    return Route(path, _endpoint(view, role, most_bytes, is_form=False), methods=["POST"])


def _endpoint(view: View, role: UserRole, most_bytes: int, *, is_form: bool) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        console: Console = request.app.state.console
        try:
            user, session = admitted(console, request, role)
            body, form = bytearray(), dict[str, list[str]]()
            if request.method == "POST":
                check_origin(request)
                if not is_form:
                    check_form(request, session, "")
                body = await read_body(request, most_bytes)
                if is_form:
                    form = parsed(body)
                    check_form(request, session, form.get("csrf", [""])[-1])
            last = {name: values[-1] for name, values in form.items()}
            answer = await run_in_threadpool(view, Visit(console, request, user, session, last, form, body))
            keep_session(console, request, answer)
        except ClientDisconnect:
            return Response(status_code=400)
        except NodeError as error:  # busy, no room: its message names no value
            raise Denied(503, str(error)) from None
        except Denied:
            raise
        except Exception as error:  # noqa: BLE001  a border: its text may hold values
            emit_error(Event.FAILED, error)
            raise Denied(500, "Something went wrong; the log says where.") from None
        else:
            return answer

    return endpoint


async def read_body(request: Request, most_bytes: int) -> bytearray:
    """Read what was sent.

    Raises
    ------
    Denied
        413, if it is more than that
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise Denied(413, "That is too large.")
    return body


def parsed(body: bytearray) -> dict[str, list[str]]:
    """Parse a form.

    Raises
    ------
    Denied
        400, if it is none
    """
    try:
        return parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=20_000)
    except ValueError:
        raise Denied(400, "The form cannot be read.") from None
