package sinks

import "time"

// chunk is a row of records without numbers.
type chunk struct {
	buf     []byte
	reports int
	first   uint64 // number of the first record, once it is taken
}

// memory holds the records that are not on disk, in chunks.
type memory struct {
	chunks []*chunk
	free   []*chunk
	// reports and bytes are those in chunks.
	reports int
	bytes   int
	next    uint64 // number of the next record that is taken

	chunkBytes int
}

func (m *memory) add(now time.Time, key string, value []byte) {
	var c *chunk
	if n := len(m.chunks); n > 0 {
		c = m.chunks[n-1]
	}
	if size := headSize + bodyMin + len(key) + len(value); c == nil || len(c.buf)+size > m.chunkBytes {
		if n := len(m.free); n > 0 {
			c, m.free = m.free[n-1], m.free[:n-1]
		} else {
			c = &chunk{}
		}
		m.chunks = append(m.chunks, c)
	}
	before := len(c.buf)
	c.buf = appendRecord(c.buf, now, key, value)
	c.reports++
	m.reports++
	m.bytes += len(c.buf) - before
}

// takeFirst removes the oldest chunk and reserves its numbers; nil if there is
// none.
func (m *memory) takeFirst() *chunk {
	if len(m.chunks) == 0 {
		return nil
	}
	c := m.chunks[0]
	m.chunks[0] = nil
	if m.chunks = m.chunks[1:]; len(m.chunks) == 0 {
		m.chunks = nil
	}
	m.reports -= c.reports
	m.bytes -= len(c.buf)
	c.first = m.next
	m.next += uint64(c.reports)
	return c
}

// giveBack undoes the last takeFirst.
func (m *memory) giveBack(c *chunk) {
	m.chunks = append([]*chunk{c}, m.chunks...)
	m.reports += c.reports
	m.bytes += len(c.buf)
	m.next = c.first
}

// release keeps the memory of a chunk for another.
func (m *memory) release(c *chunk) {
	if len(m.free) < 4 {
		m.free = append(m.free, &chunk{buf: c.buf[:0]})
	}
}
