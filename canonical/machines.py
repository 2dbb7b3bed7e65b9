"""Status machines: which transitions are regular, for each kind of record (DOMAIN 1.2 to 1.10).

A feed is the truth, so what it says happens all the same and is marked; a command is refused.
"""

REMOVED = "entered-in-error"

APPOINTMENT = {
    None: {"proposed", "pending", "waitlist", "booked"},
    "proposed": {"pending", "waitlist", "booked", "cancelled", REMOVED},
    "pending": {"booked", "waitlist", "proposed", "cancelled", REMOVED},
    "waitlist": {"pending", "booked", "cancelled", REMOVED},
    "booked": {
        *("booked", "pending", "waitlist", "arrived", "checked-in", "fulfilled", "cancelled", "noshow", REMOVED),
    },
    "arrived": {"checked-in", "fulfilled", "booked", "cancelled", "noshow", REMOVED},
    "checked-in": {"arrived", "fulfilled", "cancelled", REMOVED},
    "fulfilled": {"checked-in", "arrived", "noshow", REMOVED},
    "noshow": {"arrived", "checked-in", "fulfilled", "booked", "cancelled"},
    "cancelled": {"booked", "waitlist", REMOVED},
    REMOVED: set(),
}
ENCOUNTER = {
    None: {"planned", "arrived", "triaged", "in-progress", "unknown"},
    "planned": {"arrived", "triaged", "in-progress", "cancelled", REMOVED},
    "arrived": {"triaged", "in-progress", "finished", "cancelled", "planned", REMOVED},
    "triaged": {"in-progress", "finished", "cancelled", REMOVED},
    "in-progress": {"onleave", "finished", "cancelled", REMOVED},
    "onleave": {"in-progress", "finished", REMOVED},
    "finished": {"in-progress", REMOVED},
    "cancelled": {"planned", "in-progress", REMOVED},
    REMOVED: set(),
    "unknown": {"planned", "arrived", "triaged", "in-progress", "onleave", "finished", "cancelled", REMOVED},
}
ACTIVE = {
    None: {"active", "inactive"},
    "active": {"inactive", "merged", REMOVED},
    "inactive": {"active", "merged", REMOVED},
    "merged": {"active"},
    REMOVED: set(),
}
PROVIDER = {
    None: {"active", "suspended", "inactive"},
    "active": {"suspended", "inactive", REMOVED},
    "suspended": {"active", "inactive", REMOVED},
    "inactive": {"active", "suspended", REMOVED},
    REMOVED: set(),
}
ORGANIZATION = {
    None: {"active", "inactive"},
    "active": {"inactive", REMOVED},
    "inactive": {"active", REMOVED},
    REMOVED: set(),
}
REFERRAL = {
    None: {"draft", "requested"},
    "draft": {"requested", "cancelled", REMOVED},
    "requested": {"received", "accepted", "rejected", "on-hold", "cancelled", "expired", REMOVED},
    "received": {"accepted", "rejected", "on-hold", "cancelled", "expired", REMOVED},
    "on-hold": {"requested", "accepted", "rejected", "cancelled", "expired", REMOVED},
    "accepted": {
        *("scheduled", "in-progress", "completed", "on-hold", "cancelled", "expired", "rejected", REMOVED),
    },
    "scheduled": {"in-progress", "completed", "accepted", "cancelled", "expired", REMOVED},
    "in-progress": {"completed", "cancelled", REMOVED},
    "rejected": {"requested", "cancelled"},
    "expired": {"accepted", "cancelled"},
    "completed": set(),
    "cancelled": set(),
    REMOVED: set(),
}
COVERAGE = {
    None: {"draft", "active", "cancelled"},
    "draft": {"active", "cancelled", REMOVED},
    "active": {"cancelled", REMOVED},
    "cancelled": {"active", REMOVED},
    REMOVED: set(),
}
ELIGIBILITY = {
    None: {"created"},
    "created": {"submitted"},
    "submitted": {"completed", "failed", "timed-out"},
    "timed-out": {"completed"},
    "completed": {"superseded", "expired"},
    "failed": set(),
    "superseded": set(),
    "expired": set(),
}
DECIDED = {"approved", "partially-approved", "modified", "denied", "contact-payer", "not-required"}
GRANTED = {"submitted", "expired", "cancelled"}  # what was granted may be revised, which submits it again
AUTHORIZATION = {
    None: {"not-evaluated", "not-required", "required", "draft", "submitted", "unknown-reported"},
    "unknown-reported": {"submitted", "pended", "expired", "cancelled", *DECIDED},  # a number in a referral, no more
    "not-evaluated": {"not-required", "required"},
    "not-required": {"required"},
    "required": {"draft", "cancelled"},
    "draft": {"submitted", "cancelled", REMOVED},
    "submitted": {"pended", "error", "cancelled", *DECIDED},
    "pended": {"error", "cancelled", *DECIDED},
    "contact-payer": {"pended", "submitted", "cancelled", *DECIDED},
    "approved": GRANTED,
    "partially-approved": GRANTED,
    "modified": GRANTED,
    "denied": {"submitted", "closed"},  # an appeal submits it again
    "error": {"draft", "submitted", "cancelled"},
    "expired": set(),
    "cancelled": set(),
    "closed": set(),
    REMOVED: set(),
}
REQUISITION = {
    None: {"draft", "submitted"},
    "draft": {"submitted", "cancelled", REMOVED},
    "submitted": {"pending-approval", "approved", "rejected", "failed", "cancelled", REMOVED},
    "pending-approval": {"approved", "rejected", "returned", "cancelled", REMOVED},
    "returned": {"submitted", "cancelled", REMOVED},
    "approved": {"partially-ordered", "ordered", "cancelled", REMOVED},
    "partially-ordered": {"ordered", "partially-received", "cancelled", REMOVED},
    "ordered": {"partially-received", "received", "cancelled", REMOVED},
    "partially-received": {"received", "closed", REMOVED},
    "received": {"closed", REMOVED},
    "failed": {"submitted", REMOVED},
    "rejected": set(),
    "closed": set(),
    "cancelled": set(),
    REMOVED: set(),
}
MACHINES: dict[str, dict[str | None, set[str]]] = {
    "appointment": APPOINTMENT,
    "authorization": AUTHORIZATION,
    "coverage": COVERAGE,
    "eligibility": ELIGIBILITY,
    "encounter": ENCOUNTER,
    "location": ACTIVE,
    "organization": ORGANIZATION,
    "patient": ACTIVE,
    "provider": PROVIDER,
    "referral": REFERRAL,
    "requisition": REQUISITION,
}

# Transitions that put right what was recorded wrongly: who commands one says why.
CORRECTIONS: dict[str, frozenset[tuple[str, str]]] = {
    "appointment": frozenset(
        (before, after) for before in ("fulfilled", "noshow") for after in APPOINTMENT[before] if after != REMOVED
    ),
    "referral": frozenset({("accepted", "rejected")}),
}
