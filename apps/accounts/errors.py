"""What is refused about accounts."""

from apps.core.errors import Conflict, RuleBroken


class AccountDomainTaken(Conflict):
    """Two accounts would have the same domain; `account_id` names the one within reach."""

    reason = "account_domain_taken"
    message = "There already is an account with this domain."


class AccountElsewhere(Conflict):
    """An account with the same domain exists outside of the actor's reach."""

    reason = "duplicate_elsewhere"
    message = "Somebody else already looks after an account with this domain."


class AccountTreeLoops(RuleBroken):
    """An account would belong to itself."""

    reason = "account_tree_loops"
    message = "An account can't be its own parent company."


class AccountOutOfReach(RuleBroken):
    """Handing over between teams is for whoever oversees both."""

    reason = "account_out_of_reach"
    message = "You would not see the account any more. Ask somebody who oversees both sides."


class TooLateToRestore(RuleBroken):
    """The bin is emptied after thirty days."""

    reason = "too_late_to_restore"
    message = "What was deleted can be restored for 30 days."


class ContactKnown(Conflict):
    """The account already has this person for this purpose."""

    reason = "contact_known"
    message = "The account already has a contact of this type with this e-mail address."
