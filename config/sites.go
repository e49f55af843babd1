package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sitemon"
)

// File is one file of a document: its name for messages, and what it holds.
type File struct {
	Name    string
	Content []byte
}

// ParseOptions says what a document is read with.
type ParseOptions struct {
	// Source is the name of the document.
	Source string
	// DefaultInterval is the interval of sites for which neither they nor defaults
	// have one (SCAN_INTERVAL); zero means 60 s.
	DefaultInterval time.Duration
	// Lookup finds the variables of ${NAME}. If it is nil, references are checked
	// for their form only, and files are not read.
	Lookup func(name string) (string, bool)
	// ReadFile reads the files of ${file:PATH} and of keys such as ca_file; nil
	// means [os.ReadFile].
	ReadFile func(path string) ([]byte, error)
	// CheckChannels lets a variable or file of a channel that is missing be warned of.
	// Only the writer expands channels, so it is never a fault.
	CheckChannels bool
}

// ReadSites reads a sites file, or all *.yaml and *.yml of a folder in the order
// of their names; files that begin with a dot and folders in the folder are left
// out. The error wraps [io/fs.ErrNotExist] if the path does not exist.
func ReadSites(path string) ([]File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read sites: %w", err)
	}
	if !info.IsDir() {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read sites: %w", err)
		}
		return []File{{path, content}}, nil
	}
	names, err := folderFiles(path)
	if err != nil {
		return nil, fmt.Errorf("read sites: %w", err)
	}
	files := []File{}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read sites: %w", err)
		}
		files = append(files, File{name, content})
	}
	return files, nil
}

// folderFiles lists the sites files of a folder, sorted by name.
func folderFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if strings.HasPrefix(e.Name(), ".") || ext != ".yaml" && ext != ".yml" {
			continue
		}
		file := filepath.Join(dir, e.Name())
		if info, err := os.Stat(file); err == nil && info.IsDir() { // also behind a link
			continue
		}
		files = append(files, file)
	}
	return files, nil
}

// Parse reads a document from its files; several files are a folder, read
// together. The error is a [sitemon.Problems] with every fault of the document,
// in the order of files and positions; the document then has its hash and nothing
// else. The warnings are returned in either case.
func Parse(files []File, opts ParseOptions) (sitemon.Document, []sitemon.Problem, error) {
	w := newWalker(opts)
	w.places = newPlacer(files)
	doc := sitemon.Document{Source: opts.Source, Hash: Hash(files), Sites: w.document(files)}
	doc.Alerting, doc.Maintenance, doc.StatusPages = w.alerting, w.maintenance, w.pages
	problems := sorted(w.problems, files)
	warnings := slices.DeleteFunc(slices.Clone(problems), func(p sitemon.Problem) bool { return !p.Warning })
	if w.faults == 0 {
		doc.Places = w.places.pack()
		return doc, warnings, nil
	}
	problems = slices.DeleteFunc(problems, func(p sitemon.Problem) bool { return p.Warning })
	doc.Sites, doc.Alerting, doc.Maintenance = nil, sitemon.Alerting{}, nil
	return doc, warnings, sitemon.Problems(problems)
}

// DecodeSite reads a site from the canonical JSON that [sitemon.Site] holds as
// its Definition. The definition of the result is canonical again, so it is equal
// if nothing was changed in between. Variables and files are not looked at. The
// error wraps [sitemon.ErrInvalid].
func DecodeSite(name string, definition []byte) (sitemon.Site, error) {
	return NewDecoder().Decode(name, definition)
}

// Decoder reads many definitions, and lets equal parts of them share memory. It
// is not safe for concurrent use.
type Decoder struct{ w *walker }

// NewDecoder returns a Decoder that has seen nothing yet.
func NewDecoder() *Decoder {
	w := newWalker(ParseOptions{})
	w.names = nil // a name may come again, with the site's next definition
	return &Decoder{w}
}

// Decode reads one definition as [DecodeSite] does.
func (d *Decoder) Decode(name string, definition []byte) (sitemon.Site, error) {
	w := d.w
	clear(w.noted)
	w.file, w.problems, w.faults, w.steps = "definition", nil, 0, allowedSteps(len(definition))
	var site sitemon.Site
	if root := w.parse(definition); root != nil {
		site = w.site(root)
	}
	if w.faults > 0 {
		faults := slices.DeleteFunc(sorted(w.problems, nil), func(p sitemon.Problem) bool { return p.Warning })
		return sitemon.Site{}, fmt.Errorf("decode site %q: %w", name, sitemon.Problems(faults))
	}
	if site.Name != name {
		return sitemon.Site{}, fmt.Errorf("decode site %q: %w: the definition is that of %q", name, sitemon.ErrInvalid, site.Name)
	}
	return site, nil
}

// SiteFromURL returns a site with everything at its default, as a first look at
// an address needs it. Its name is the address without credentials. The error
// wraps [sitemon.ErrInvalid].
func SiteFromURL(address string) (sitemon.Site, error) {
	name := publicAddress(address)
	b := append(appendJSON([]byte(`{"name":`), name), `,"url":`...)
	site, err := DecodeSite(name, append(appendJSON(b, address), '}'))
	if problems, ok := errors.AsType[sitemon.Problems](err); ok {
		return site, invalidError{errors.New(strings.TrimPrefix(problems[0].Message, "url: "))}
	}
	return site, err
}

// Hash is the SHA-256 of a document in hexadecimal: of a file by itself what
// sha256sum prints; the files of a folder count by their base names too. It does
// not matter where the document lies.
func Hash(files []File) string {
	h := sha256.New()
	if len(files) == 1 {
		h.Write(files[0].Content)
		return hex.EncodeToString(h.Sum(nil))
	}
	part := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	for _, f := range files {
		part([]byte(filepath.Base(f.Name)))
		part(f.Content)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// sorted puts problems in the order of the files and of the positions in them,
// each once.
func sorted(problems []sitemon.Problem, files []File) []sitemon.Problem {
	order := make(map[string]int, len(files))
	for i, f := range files {
		order[f.Name] = i
	}
	slices.SortStableFunc(problems, func(a, b sitemon.Problem) int {
		return cmp.Or(order[a.File]-order[b.File], a.Line-b.Line, a.Column-b.Column, strings.Compare(a.Message, b.Message))
	})
	return slices.Compact(problems)
}
