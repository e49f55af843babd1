package sitemon

// WSRequest is what is said once a WebSocket is open.
type WSRequest struct {
	// Send are the text messages that are sent, in this order. They may hold ${…}
	// references.
	Send []string
	// Subprotocols are offered to the server, which may choose one of them (RFC 6455
	// section 1.9); it is down where it chooses none.
	Subprotocols []string
}
