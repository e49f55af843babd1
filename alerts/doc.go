// Package alerts delivers notifications: over the services that the notification
// library knows, to signed webhooks, and to Prometheus Alertmanager. What is told,
// to whom and when is decided elsewhere ([Outbox]); a channel that is slow, broken
// or gone delays no other channel, no probe and no write.
package alerts
