"""The /auth/ addresses: nobody has to log in yet, and clients are told so in the way they ask."""

from fastapi import Request
from starlette.exceptions import HTTPException

from monailabel.server import errors, schema, upload
from monailabel.server.access import Limits
from monailabel.server.answers import Json
from monailabel.server.routes import Routes

router = Routes(tags=["Auth"])

# Everybody is this user, with every role that MONAI Label's clients know, until there are users.
_ROLES = [f"monailabel-{role}" for role in ("admin", "reviewer", "annotator", "user")]
_EVERYBODY = {"username": "admin", "email": None, "name": None, "roles": _ROLES}

_LOGIN = schema.body(
    (upload.URLENCODED,),
    ("username", "password"),
    username={"type": "string", "description": "the user's name"},
    password={"type": "string", "format": "password", "description": "the user's password"},
    grant_type={"type": "string", "description": "`password`"},
)


@router.get("/auth/", responses=schema.answer(schema.AuthState, "whether to log in"))
async def auth() -> Json:
    """Tell whether a client has to log in."""
    return Json({"enabled": False, "client_id": "", "realm": ""})


@router.post(
    "/auth/token",
    responses={**schema.answer(schema.Token, "nulls, as no token is needed"), **errors.documented(408, 413, 422)},
    openapi_extra=_LOGIN,
)
async def token(request: Request, limits: Limits) -> Json:
    """Log in; while nobody has to, the token is null and no password is looked at."""
    form = await upload.form(request, limits)
    for name in ("username", "password"):
        if name not in form.fields:
            raise HTTPException(422, f"body {name}: field required")
    return Json({"access_token": None, "token_type": None})


@router.get("/auth/token/valid", responses=schema.answer(schema.User, "who the request comes from"))
async def valid() -> Json:
    """Tell who the request comes from."""
    return Json(_EVERYBODY)
