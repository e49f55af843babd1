package probes

import "encoding/binary"

// kafkaWalk goes through an answer of Kafka and makes room for nothing.
type kafkaWalk struct {
	rest  []byte
	short bool // the answer ended too early, or a list is longer than what is left
}

func (w *kafkaWalk) skip(n int) {
	if n > len(w.rest) {
		w.rest, w.short = nil, true
		return
	}
	w.rest = w.rest[n:]
}

// count reads how many items a list has, each of them of at least so many bytes.
func (w *kafkaWalk) count(least int) int {
	if len(w.rest) < 4 {
		w.skip(4)
		return 0
	}
	n := int(int32(binary.BigEndian.Uint32(w.rest)))
	w.skip(4)
	if n > len(w.rest)/least {
		w.rest, w.short = nil, true
		return 0
	}
	return n
}

func (w *kafkaWalk) text() {
	if len(w.rest) < 2 {
		w.skip(2)
		return
	}
	n := int(int16(binary.BigEndian.Uint16(w.rest)))
	w.skip(2 + max(n, 0))
}

// numbers skips lists of numbers.
func (w *kafkaWalk) numbers(lists int) {
	for range lists {
		w.skip(4 * max(w.count(4), 0))
	}
}

// metadataFits reports whether the lists in an answer of metadata are no longer than
// the answer. What reads it makes room for as many items as a list announces, where
// there is a byte for each: up to a hundred bytes a byte.
func metadataFits(answer []byte, version int16) bool {
	const leastBroker, leastTopic, leastPartition = 12, 9, 18
	w := kafkaWalk{rest: answer}
	w.skip(4) // how long it held back
	for range w.count(leastBroker) {
		w.skip(4)
		w.text()
		w.skip(4)
		w.text()
	}
	w.text()
	w.skip(4)
	for range w.count(leastTopic) {
		w.skip(2)
		w.text()
		w.skip(1)
		for range w.count(leastPartition) {
			w.partition(version)
		}
		if version >= 8 {
			w.skip(4)
		}
	}
	return !w.short
}

func (w *kafkaWalk) partition(version int16) {
	w.skip(10)
	if version >= 7 {
		w.skip(4)
	}
	lists := 2
	if version >= 5 {
		lists = 3
	}
	w.numbers(lists)
}
