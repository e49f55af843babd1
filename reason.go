package sitemon

// Outcome is what a report says of its site at its slot.
type Outcome string

// The outcomes. Unknown is the monitor's own failing: it could not tell.
const (
	OutcomeUp       Outcome = "up"
	OutcomeDegraded Outcome = "degraded"
	OutcomeDown     Outcome = "down"
	OutcomeUnknown  Outcome = "unknown"
)

// Outcomes lists all outcomes, best first.
var Outcomes = []Outcome{OutcomeUp, OutcomeDegraded, OutcomeDown, OutcomeUnknown}

// Valid reports whether o is one of [Outcomes].
func (o Outcome) Valid() bool {
	switch o {
	case OutcomeUp, OutcomeDegraded, OutcomeDown, OutcomeUnknown:
		return true
	}
	return false
}

// Good reports whether the site did its work: up or degraded.
func (o Outcome) Good() bool { return o == OutcomeUp || o == OutcomeDegraded }

// Reason says why a report is not up. The list is closed for reports made here;
// readers take reasons that they do not know as they are.
type Reason string

// The reasons, by the step at which a probe ended.
const (
	ReasonDNSNotFound Reason = "dns_not_found"
	ReasonDNSTimeout  Reason = "dns_timeout"
	ReasonDNSError    Reason = "dns_error"

	ReasonConnectRefused Reason = "connect_refused"
	ReasonConnectTimeout Reason = "connect_timeout"
	ReasonConnectError   Reason = "connect_error"

	ReasonTLSExpired   Reason = "tls_expired"
	ReasonTLSHostname  Reason = "tls_hostname"
	ReasonTLSUntrusted Reason = "tls_untrusted"
	ReasonTLSTimeout   Reason = "tls_timeout"
	ReasonTLSError     Reason = "tls_error"

	ReasonSendError         Reason = "send_error"
	ReasonProcessingTimeout Reason = "processing_timeout"
	ReasonTransferTimeout   Reason = "transfer_timeout"
	ReasonTransferError     Reason = "transfer_error"
	ReasonRedirect          Reason = "redirect"
	ReasonProtocol          Reason = "protocol"

	ReasonStatus      Reason = "status"
	ReasonHeader      Reason = "header"
	ReasonBody        Reason = "body"
	ReasonJSON        Reason = "json"
	ReasonLatency     Reason = "latency"
	ReasonCertificate Reason = "certificate"

	// The monitor's own: the outcome is unknown.
	ReasonBlocked           Reason = "blocked" // the address policy forbids the target
	ReasonMonitorOffline    Reason = "monitor_offline"
	ReasonMonitorOverloaded Reason = "monitor_overloaded"
	ReasonMonitorStopped    Reason = "monitor_stopped"
	ReasonInternal          Reason = "internal"
)

// Why a monitor sent nothing for the slots before a report ([Report.Gap]).
const (
	GapMonitorStopped = "monitor_stopped"
	GapSpoolFull      = "spool_full"
	GapClock          = "clock"
)
