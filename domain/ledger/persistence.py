"""Owns the event log's place in the eventsourcing library: `PERSISTENCE_MODULE` names this module.

Invariant: one factory opens one log. The environment says which: LEDGER_CONNINFO, LEDGER_PREFIX.
"""

from eventsourcing.dcb.persistence import DCBInfrastructureFactory
from eventsourcing.persistence import InfrastructureFactoryError, TrackingRecorder

from domain.ledger.log import EventLog


class EventLogFactory(DCBInfrastructureFactory[TrackingRecorder]):
    """Opens the log for a DCBApplication."""

    _log: EventLog | None = None

    def dcb_recorder(self) -> EventLog:
        """The application's log. Raises InfrastructureFactoryError where none is configured."""
        if self._log is None:
            conninfo = self.env.get("LEDGER_CONNINFO")
            if not conninfo:
                raise InfrastructureFactoryError("LEDGER_CONNINFO is not set")
            self._log = EventLog(conninfo, prefix=self.env.get("LEDGER_PREFIX") or "ledger_")
        return self._log

    def close(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None
