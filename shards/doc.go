// Package shards divides the sites of a location among its monitors.
//
// A site belongs to a shard by the hash of its name. The shards are the
// partitions of a Kafka topic that never carries a message, and the monitors of a
// location are a consumer group on it, so that who is there and who has what is
// Kafka's business and no protocol of ours. A [Sharer] is one member; it tells
// its owner which [Share] of all sites to probe.
//
// Two monitors that probe the same slot do no harm, as the identity of the
// reports is the same; a slot that nobody probes is a gap. Therefore a member
// keeps its share until it knows the next one, and what it has to give up for a
// second longer. It goes on with its share while the broker is away, and after a
// restart with the one that it kept in a file; a member that never had one takes
// everything. Only one that the group has thrown out, because it stood still,
// drops its share at once: the others have it by then. One that leaves says so
// first, and stays until the others have its share.
package shards
