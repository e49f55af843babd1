// Package writer records the reports that come by way of Kafka.
//
// A [Writer] is a member of a consumer group. It reads the partitions that the
// group gives it, gathers messages to batches, has each batch recorded in one
// transaction, and only then commits to Kafka how far it is. So a message may be
// read twice, after a crash or when a partition moves, but none is left out; a
// report that is there already changes nothing, which makes the two exactly one.
//
// A message that can't be used goes to the topic of dead letters, which
// [DeadLetters] reads and [Replay] sends again. A store or a broker that is away
// is waited for. What Kafka does behind a consumer's back, messages that expired
// unread and topics that were made anew, is noticed and said.
package writer
