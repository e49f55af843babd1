package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
)

//go:embed static
var staticFiles embed.FS

// assets are the static files. All are under one address that has the hash of
// all of them in it: they may be kept for ever, modules find each other by
// relative names, and a new version is a new address.
type assets struct {
	base  string // "/static/HASH/"
	hash  string
	files map[string]asset
}

type asset struct {
	contentType string
	plain       []byte
	packed      []byte // gzip; nil where it is not smaller
}

// newAssets reads what is embedded; that can't fail.
func newAssets() *assets {
	a := &assets{files: map[string]asset{}}
	sum := sha256.New()
	err := fs.WalkDir(staticFiles, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := staticFiles.ReadFile(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n", name, len(content))
		sum.Write(content)
		a.files[name[len("static/"):]] = newAsset(name, content)
		return nil
	})
	if err != nil {
		panic(fmt.Errorf("read embedded static files: %w", err))
	}
	a.hash = hex.EncodeToString(sum.Sum(nil))[:12]
	a.base = "/static/" + a.hash + "/"
	return a
}

func newAsset(name string, content []byte) asset {
	// Not by the machine's table of types alone: it may lack these, or have others.
	types := map[string]string{
		".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".svg": "image/svg+xml", ".md": "text/plain; charset=utf-8",
	}
	t, ok := types[path.Ext(name)]
	if !ok {
		t = mime.TypeByExtension(path.Ext(name))
	}
	if t == "" {
		t = "text/plain; charset=utf-8"
	}
	var packed bytes.Buffer
	zw, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // the level is a valid one
	_, _ = zw.Write(content)                                    // a buffer takes everything
	_ = zw.Close()
	if packed.Len() >= len(content) {
		return asset{t, content, nil}
	}
	return asset{t, content, packed.Bytes()}
}

// serve answers with a static file. Under the hash of another version the file is
// today's, and is not kept.
func (a *assets) serve(w http.ResponseWriter, r *http.Request) error {
	f, ok := a.files[r.PathValue("file")]
	if !ok {
		return errNoRoute
	}
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", "no-cache")
	if r.PathValue("hash") == a.hash {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body := f.plain
	if f.packed != nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			h.Set("Content-Encoding", "gzip")
			body = f.packed
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the client may be gone; there is nobody to tell
	return nil
}
