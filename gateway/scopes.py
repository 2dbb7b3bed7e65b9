"""The scopes of the API: what a client may be allowed to do, in a sentence each."""

from policies.auth import ADMIN

SCOPES = {
    "appointments.read": "Read and search appointments.",
    "appointments.write": "Book, move and cancel appointments, and say what became of them.",
    "encounters.read": "Read and search encounters.",
    "patients.read": "Read and search patients.",
    "patients.identifiers": "See social security numbers whole, not only their last four digits.",
    "providers.read": "Read and search providers.",
    "locations.read": "Read and search locations.",
    "organizations.read": "Read and search organisations.",
    "referrals.read": "Read and search referrals.",
    "referrals.write": "Make, send and answer referrals.",
    "coverages.read": "Read and search insurances.",
    "eligibility-checks.read": "Read and search checks of eligibility.",
    "eligibility-checks.write": "Ask for checks of eligibility.",
    "authorizations.read": "Read and search authorizations.",
    "authorizations.write": "Ask for authorizations, and take requests back.",
    "requisitions.read": "Read and search requisitions.",
    "requisitions.write": "Make, submit, approve, cancel and receive requisitions.",
    "events.read": "Follow the feed of events.",
    "messages.read": "Read messages as they were received.",
    "messages.replay": "Map messages again.",
    "tasks.read": "Read tasks.",
    "tasks.write": "Take, complete and cancel tasks.",
    "subscriptions.read": "Read one's own subscriptions and their deliveries.",
    "subscriptions.write": "Make and change one's own subscriptions, and send deliveries again.",
    "passthrough.read": "See in a lineage what no mapping read.",
    ADMIN: "Everything in one's own tenant, and holding feeds.",
}
