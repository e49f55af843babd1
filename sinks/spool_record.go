package sinks

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// A segment is a row of records and nothing else. A record, little-endian:
//
//	length    uint32  of all that follows the checksum
//	checksum  uint32  CRC-32C of all that follows it
//	number    uint64  counts the reports of a spool from 1
//	written   int64   when the report came, in Unix milliseconds
//	key size  uint16
//	key, value
const (
	headSize = 8
	bodyMin  = 18
	// bodyMax bounds what a damaged length can make a reader do.
	bodyMax = 1 << 20
	keyMax  = 1<<16 - 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record is a decoded record; key and value lie in the memory it was read from.
type record struct {
	number     uint64
	written    time.Time
	key, value []byte
}

// verdict is what is to be thought of some bytes at which a record should begin.
type verdict int

const (
	whole   verdict = iota
	short           // more bytes are needed
	damaged         // they are none
)

// appendRecord adds a record that has no number and no checksum yet.
func appendRecord(b []byte, written time.Time, key string, value []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, uint32(bodyMin+len(key)+len(value)))
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = le.AppendUint64(b, uint64(written.UnixMilli()))
	b = le.AppendUint16(b, uint16(len(key)))
	b = append(b, key...)
	return append(b, value...)
}

// number gives the records in b, which [appendRecord] made, their numbers and
// checksums.
func number(b []byte, first uint64) {
	le := binary.LittleEndian
	for len(b) > 0 {
		end := headSize + int(le.Uint32(b))
		le.PutUint64(b[headSize:], first)
		le.PutUint32(b[4:], crc32.Checksum(b[headSize:end], castagnoli))
		b = b[end:]
		first++
	}
}

// decode reads the record at the start of b. Its size is also known of one that
// is short, unless not even the length is there (0).
func decode(b []byte) (r record, size int, v verdict) {
	le := binary.LittleEndian
	if len(b) < headSize {
		return record{}, 0, short
	}
	n := le.Uint32(b)
	if n < bodyMin || n > bodyMax {
		return record{}, 0, damaged
	}
	size = headSize + int(n)
	if len(b) < size {
		return record{}, size, short
	}
	body := b[headSize:size]
	if crc32.Checksum(body, castagnoli) != le.Uint32(b[4:]) {
		return record{}, size, damaged
	}
	key := bodyMin + int(le.Uint16(body[16:]))
	if key > len(body) {
		return record{}, size, damaged
	}
	return record{
		number:  le.Uint64(body),
		written: time.UnixMilli(int64(le.Uint64(body[8:]))),
		key:     body[bodyMin:key:key], value: body[key:len(body):len(body)],
	}, size, whole
}

// find returns where in b the next whole record with at least that number
// begins; len(b) if there is none.
func find(b []byte, least uint64) int {
	for i := range b {
		if r, _, v := decode(b[i:]); v == whole && r.number >= least {
			return i
		}
	}
	return len(b)
}

// records calls yield with each whole record of a segment, and steps over what
// is damaged. It returns where the last of them ends.
func records(segment []byte, least uint64, yield func(record)) (end int) {
	for at := 0; at < len(segment); {
		r, size, v := decode(segment[at:])
		if v != whole {
			at++
			at += find(segment[at:], least)
			continue
		}
		if r.number >= least {
			yield(r)
			least = r.number + 1
		}
		at += size
		end = at
	}
	return end
}
