package probes

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"sitemon"
)

// defaultBodyLimit is used where a site has no limit.
const defaultBodyLimit = 1 << 20

// minBody is how large a body's buffer is at first.
const minBody = 8 << 10

// wireSlack is how much longer than its content a compressed body may be.
const wireSlack = 64 << 10

// readBody reads the body of an answer once, decoded and up to the site's limit.
// The bytes are valid until the attempt's buffers are released.
func (a *attempt) readBody(ans *answer) ([]byte, error) {
	limit := a.site.Request.BodySizeLimit
	if limit <= 0 {
		limit = defaultBodyLimit
	}
	b := a.buffers()
	body, truncated, err := a.decoded(b.body[:0], ans, limit)
	b.body = body
	b.trail.body, b.trail.more = body, truncated || err != nil
	a.report.BodyBytes, a.report.BodyTruncated = int64(len(body)), truncated
	phase(&a.report.Phases.Transfer, ans.started)
	if err == nil {
		return body, nil
	}
	switch {
	case a.tooLate(err):
		return nil, a.noAnswer(sitemon.ReasonTransferTimeout, err, fmt.Sprintf("connected, receiving the body, %d bytes so far", len(body)))
	case errors.Is(err, errEncoding):
		return nil, failf(sitemon.ReasonProtocol, err, "the body can't be decoded: %v", err)
	case connectionLost(err):
		return nil, failf(sitemon.ReasonTransferError, err, "%s amid the body, after %d bytes", words(err), len(body))
	}
	return nil, failf(sitemon.ReasonProtocol, err, "the body is not sent as HTTP wants it: %s", strings.TrimPrefix(words(err), "http: "))
}

// decoded reads up to limit bytes of what a body holds once its content encoding
// is undone. A probe asks for none, but servers send one all the same.
func (a *attempt) decoded(dst []byte, ans *answer, limit int64) ([]byte, bool, error) {
	encoding := strings.ToLower(strings.TrimSpace(ans.resp.Header.Get("Content-Encoding")))
	if encoding != "gzip" && encoding != "x-gzip" && encoding != "deflate" {
		return a.readUpTo(dst, ans.resp.Body, limit)
	}
	raw := &cappedReader{ctx: a.ctx, r: ans.resp.Body, left: limit + wireSlack}
	var (
		r   io.Reader
		err error
	)
	if encoding == "deflate" {
		r, err = inflater(raw)
	} else {
		z := gzipPool.Get().(*gzip.Reader)
		defer gzipPool.Put(z)
		r, err = z, z.Reset(raw)
	}
	truncated := false
	if err == nil {
		dst, truncated, err = a.readUpTo(dst, r, limit)
	}
	switch {
	case errors.Is(err, io.EOF) && raw.n == 0 && errors.Is(raw.err, io.EOF):
		return dst, false, nil // no body at all, as after HEAD
	case raw.full:
		return dst, true, nil
	case raw.err != nil && !errors.Is(raw.err, io.EOF):
		return dst, truncated, raw.err // the connection's fault, not the encoding's
	case err != nil:
		return dst, truncated, errors.Join(errEncoding, err)
	}
	return dst, truncated, nil
}

var errEncoding = errors.New("content encoding")

var gzipPool = sync.Pool{New: func() any { return new(gzip.Reader) }}

// inflater reads what HTTP calls deflate: zlib by the standard, bare deflate by
// some servers.
func inflater(r io.Reader) (io.Reader, error) {
	br := bufio.NewReader(r)
	head, err := br.Peek(2)
	if err != nil {
		return nil, err
	}
	if head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
		return zlib.NewReader(br)
	}
	return flate.NewReader(br), nil
}

// cappedReader reads up to a limit, not beyond the end of its context, and
// remembers how reading ended. So a decoder that reads much to give little (a
// body of empty gzip members) ends in time too.
type cappedReader struct {
	ctx  context.Context
	r    io.Reader
	left int64
	n    int64
	full bool // the limit was reached
	err  error
}

func (c *cappedReader) Read(p []byte) (int, error) {
	if c.left <= 0 {
		c.full = true
		return 0, io.ErrUnexpectedEOF
	}
	if c.err = c.ctx.Err(); c.err != nil {
		return 0, c.err
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	c.n += int64(n)
	c.err = err
	return n, err
}

// readUpTo appends to dst what r holds, at most limit bytes; truncated tells
// that there was more.
func (a *attempt) readUpTo(dst []byte, r io.Reader, limit int64) (_ []byte, truncated bool, err error) {
	for {
		if int64(len(dst)) > limit {
			return dst[:limit], true, nil
		}
		if err := a.ctx.Err(); err != nil {
			return dst, false, err // a decoder has much to give without reading
		}
		dst = slices.Grow(dst, max(1, minBody-len(dst)))
		room := min(int64(cap(dst)-len(dst)), limit+1-int64(len(dst)))
		n, err := r.Read(dst[len(dst) : len(dst)+int(room)])
		dst = dst[:len(dst)+n]
		if err != nil {
			if int64(len(dst)) > limit {
				return dst[:limit], true, nil
			}
			if err == io.EOF {
				err = nil
			}
			return dst, false, err
		}
	}
}
