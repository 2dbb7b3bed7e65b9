"""Every code that a refusal of the API can have, and what it says: a public list that only ever grows.

Routes declare by code how they can fail; the OpenAPI document and the reference page are written from here.
"""

# The codes that a problem of the API can have, by status. A test finds them in the code.
CODES: dict[int, dict[str, str]] = {
    400: {
        "bad_request": "The request cannot be read.",
        "has_no_version": "What the request is about has no version, so that If-Match cannot hold; leave it out.",
        "invalid_request": "Parameters, body or token cannot be read; `errors` lists every place of the first two.",
    },
    401: {
        "unauthenticated": "There is no access token.",
        "invalid_token": "The token is expired, revoked, or not one of ours; ask for a new one.",
    },
    403: {
        "insufficient_scope": "The token lacks the scope that WWW-Authenticate names.",
        "not_the_operator": "Only a client of the site's first tenant may do that.",
    },
    404: {"not_found": "There is nothing here, or nothing that you may see."},
    405: {"method_not_allowed": "Allow lists the methods there are."},
    409: {
        "already_exists": "One of the numbers that were sent is in use already.",
        "already_taken": "Somebody else works on the task; it must be given back first.",
        "conflict": "Someone else changed it at the same moment; read it and try again.",
        "declared_in_files": "The site's files declare it, and there it is changed; here it is held and released.",
        "feed_unknown": "The feed that the message came by is no longer in the site.",
        "invalid_transition": "What has this status cannot become that; `allowed` lists what it can become.",
        "not_decodable": "The message cannot be decoded; it can be read as raw bytes.",
        "still_under_way": "The delivery is not finished yet, so there is nothing to send again.",
        "subscription_disabled": "The subscription is disabled, so nothing is sent to it; release it first.",
        "subscription_deleted": "The subscription of the delivery is deleted, so there is nobody to send it to.",
        "too_many": "The client has as many subscriptions as it may.",
    },
    410: {
        "cursor_expired": "The cursor is too old, or events after the place were purged; begin again.",
        "cursor_gone": "The place is beyond the newest event: the feed was restored from a backup. Begin again.",
        "purged": "The message was kept for as long as the site says, and is no more.",
    },
    412: {"precondition_failed": "It was changed since you read it; read it again."},
    413: {"content_too_large": "The body is larger than this server takes."},
    415: {"unsupported_media_type": "The body must be JSON and say so."},
    422: {
        "idempotency_key_reused": "The Idempotency-Key was sent before with another request.",
        "invalid_value": "The request can be read, but holds values that cannot be; `errors` lists every place.",
    },
    428: {"precondition_required": "Send the ETag that you read as If-Match."},
    429: {"quota_exceeded": "Wait for the seconds of Retry-After."},
    500: {"internal_error": "A fault of ours; the `requestId` finds it."},
    503: {"unavailable": "It cannot be done now; wait for the seconds of Retry-After."},
}
STATUSES = {code: status for status, codes in CODES.items() for code in codes}

# The codes of what is wrong with a request, place by place: the members of `errors`.
WRONGS: dict[str, str] = {
    "address_internal": "The address is internal; an operator can allow it under [webhooks].",
    "address_none": "The host cannot be resolved.",
    "empty": "A parameter without a value: give it one or leave it out.",
    "has_no_version": "What the request is about has no version: leave If-Match out.",
    "host_internal": "The host is internal; an operator can allow it under [webhooks].",
    "invalid_cursor": "It is not a cursor of this search, or not a place in the feed.",
    "invalid_type": "The body is JSON, but not an object.",
    "invalid_value": "The value is not of the kind that is taken here.",
    "malformed": "The query or the body cannot be decoded.",
    "repeated": "A parameter that is taken once was sent several times.",
    "required": "It is needed.",
    "scope_missing": "What is asked for needs further scopes.",
    "unknown_record": "There is no such record.",
    "unknown_feed": "There is no such feed.",
    "unknown_key": "Messages have no search key of this kind.",
    "unknown_member": "The body has a member that is not known.",
    "unknown_parameter": "There is a parameter that is not known.",
    "unknown_type": "No event has this type.",
    "url_credentials": "A URL must not hold credentials; deliveries are signed instead.",
    "url_malformed": "This is not a URL that can be called.",
    "url_scheme": "Use https.",
}
