"""What is refused about accounts."""

from __future__ import annotations

from uuid import UUID

from apps.core.errors import Conflict, RuleBroken

ELSEWHERE = "duplicate_elsewhere"


class AccountDomainTaken(Conflict):
    """Two accounts would have the same domain; `account_id` names the one within reach."""

    reason = "account_domain_taken"
    message = "There already is an account with this domain."


class AccountElsewhere(Conflict):
    """An account with the same domain exists outside of the actor's reach."""

    reason = ELSEWHERE
    message = "Somebody else already looks after an account with this domain."


class AccountKnown(Conflict):
    """A row of a file would double an account; `account_id` names the one within reach."""

    reason = "account_known"
    message = "There already is such an account."

    @classmethod
    def of(cls, account_id: UUID, *, is_visible: bool) -> AccountKnown:
        """The refusal: it names the other account only to somebody who may see it."""
        if is_visible:
            return cls(account_id=account_id)
        return cls("Somebody else already looks after such an account.", reason=ELSEWHERE)


class AccountInUse(Conflict):
    """Deals, contacts or daughters would be left without their account."""

    reason = "account_in_use"
    message = "Something refers to the account by now, such as a deal or a contact."


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
