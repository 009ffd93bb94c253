"""The layers of every call, outermost first."""

import grpc

from gateway.interceptors.openai_errors import OpenAiErrors
from gateway.interceptors.passing_on import statuses_passed_on
from gateway.interceptors.principal import authenticated
from serving.interceptors import Around, Checked
from serving.layers import access_logged, errors_to_status, identified, valid_request


def layers() -> list[grpc.aio.ServerInterceptor]:
    """What needs to know who asks, such as quotas, comes after `authenticated`."""
    return [
        Around(identified),
        Around(access_logged),
        Around(errors_to_status),
        Around(statuses_passed_on),
        OpenAiErrors(),
        Around(authenticated),
        Checked(valid_request),
    ]
