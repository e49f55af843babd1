package web

import (
	"strings"

	"sitemon"
)

// beatWords are the reasons of sites that call us, where they mean something else than
// of those that are asked.
var beatWords = map[sitemon.Reason]string{
	sitemon.ReasonStatus:            "The run failed",
	sitemon.ReasonProcessingTimeout: "Heartbeat missing",
	sitemon.ReasonTransferTimeout:   "The run did not end in time",
	sitemon.ReasonLatency:           "The run took too long",
	sitemon.ReasonMonitorStopped:    "Waiting for a heartbeat",
	sitemon.ReasonMonitorOffline:    "Heartbeats could not be read",
}

// reasonOf is a reason of a site of some kind as a person would say it.
func reasonOf(kind sitemon.Kind, r sitemon.Reason) string {
	if w, ok := beatWords[r]; ok && kind == sitemon.KindHeartbeat {
		return w
	}
	return reasonText(r)
}

// kindAt is the kind of the sites at an address, where its reasons have words of their
// own; "" for others.
func kindAt(address string) sitemon.Kind {
	if strings.HasPrefix(address, string(sitemon.KindHeartbeat)+"://") {
		return sitemon.KindHeartbeat
	}
	return ""
}

// incidentReason is the reason of an incident as a person would say it.
func incidentReason(i *sitemon.Incident) string { return reasonOf(kindAt(i.URL), i.Reason) }
