package web

import (
	"compress/gzip"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// compressMin is the size from which compressing is worth it.
const compressMin = 1024

// compress answers with gzip where the client takes it and the content is text.
// Event streams and what is encoded already go through as they are.
func compress(next http.Handler) http.Handler {
	pool := &sync.Pool{New: func() any {
		zw, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is a valid one
		return zw
	}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !acceptsGzip(r.Header.Get("Accept-Encoding")) || r.Method == http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		cw := &compressWriter{ResponseWriter: w, pool: pool}
		defer cw.close()
		next.ServeHTTP(cw, r)
	})
}

// acceptsGzip reports whether an Accept-Encoding header lists gzip, and not with
// a weight of zero.
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		coding, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil || coding != "gzip" {
			continue
		}
		q, ok := params["q"]
		if !ok {
			return true
		}
		weight, err := strconv.ParseFloat(q, 64)
		return err == nil && weight > 0
	}
	return false
}

// compressWriter decides at the header whether the body is compressed.
type compressWriter struct {
	http.ResponseWriter
	pool    *sync.Pool
	zw      *gzip.Writer // nil: not compressed
	decided bool
}

func (w *compressWriter) WriteHeader(code int) {
	if !w.decided && code >= http.StatusOK {
		w.decided = true
		if h := w.Header(); compressible(h, code) {
			h.Set("Content-Encoding", "gzip")
			h.Add("Vary", "Accept-Encoding")
			h.Del("Content-Length")
			w.zw = w.pool.Get().(*gzip.Writer)
			w.zw.Reset(w.ResponseWriter)
		}
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *compressWriter) Write(b []byte) (int, error) {
	if !w.decided {
		w.WriteHeader(http.StatusOK)
	}
	if w.zw != nil {
		return w.zw.Write(b)
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets [http.ResponseController] reach the connection.
func (w *compressWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *compressWriter) close() {
	if w.zw == nil {
		return
	}
	_ = w.zw.Close() // the client may be gone; there is nobody to tell
	w.pool.Put(w.zw)
}

// compressible reports whether an answer with these headers is worth it.
func compressible(h http.Header, code int) bool {
	if h.Get("Content-Encoding") != "" || code == http.StatusNoContent || code == http.StatusNotModified || code == http.StatusPartialContent {
		return false
	}
	if n, err := strconv.Atoi(h.Get("Content-Length")); err == nil && n < compressMin {
		return false
	}
	mediaType, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	switch strings.TrimSpace(mediaType) {
	case "application/json", "application/problem+json", "text/html", "text/css", "text/javascript", "text/plain", "image/svg+xml":
		return true
	}
	return false
}
