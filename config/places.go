package config

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"math"

	"go.yaml.in/yaml/v3"

	"sitemon"
)

// placesVersion is the first byte of [sitemon.Document.Places], before they are
// compressed.
const placesVersion = 1

// origins are the origins of values that a document notes, by their numbers there.
var origins = []sitemon.DefinitionOrigin{
	sitemon.FromSite, sitemon.FromDefaults, sitemon.FromAnchor, sitemon.FromScanInterval, sitemon.FromProgram,
}

const (
	originSite = iota
	originDefaults
	originAnchor
	originScanInterval
	originProgram
)

// placer notes where the values of sites are written. All of it together takes some
// ten bytes a key, so that the places of many sites can be stored with their document:
// whoever shows a site needs neither the files nor their content. A nil placer notes
// nothing.
type placer struct {
	files map[string]uint64 // numbers
	names []string          // of the files
	paths map[string]uint64 // numbers of keys such as expect.status
	keys  []string

	noting bool   // a value that is read now is one of a site
	alias  bool   // what is read now stands at an anchor
	taken  bool   // it stands in defaults
	path   []byte // of the mapping that is read now, with a dot at its end
	list   []valuePlace

	sites int
	out   []byte // of all sites so far
}

// valuePlace is where one value is written.
type valuePlace struct {
	path, file   uint64
	origin       byte
	line, column int // 0 where it is not written
}

func newPlacer(files []File) *placer {
	p := &placer{files: make(map[string]uint64, len(files)), paths: map[string]uint64{}}
	for i, f := range files {
		p.files[f.Name] = uint64(i)
		p.names = append(p.names, f.Name)
	}
	return p
}

// placeMark is what [placer.enter] found, to be put back.
type placeMark struct {
	list, path           int
	noting, alias, taken bool
}

// begin begins a site.
func (p *placer) begin() {
	if p != nil {
		p.noting, p.alias, p.taken, p.path, p.list = true, false, false, p.path[:0], p.list[:0]
	}
}

// enter notes a key that is about to be read, or goes into it where it is a
// mapping of keys.
func (p *placer) enter(w *walker, k *keyInfo, f field) placeMark {
	if p == nil {
		return placeMark{}
	}
	m := placeMark{len(p.list), len(p.path), p.noting, p.alias, p.taken}
	if !p.noting {
		return m
	}
	if !k.value.opened() {
		p.note(w, k.name, f)
		p.noting = false
		return m
	}
	p.path = append(append(p.path, k.name...), '.')
	p.taken = p.taken || f.inherited
	p.alias = p.alias || f.merged || f.value != nil && f.value.Kind == yaml.AliasNode
	return m
}

// opened reports whether the keys inside of a value are keys of the definition of
// their own.
func (v *valueInfo) opened() bool {
	return v.mapping != nil && !v.list && !v.table || v.name == typeHeaders.name
}

func (p *placer) leave(m placeMark) {
	if p != nil {
		p.path, p.noting, p.alias, p.taken = p.path[:m.path], m.noting, m.alias, m.taken
	}
}

// forget takes back what was noted since the mark: it is not a part of the
// definition.
func (p *placer) forget(m placeMark) {
	if p != nil {
		p.list = p.list[:m.list]
	}
}

// entry notes an entry of a mapping of free names.
func (p *placer) entry(w *walker, f field) {
	if p != nil && p.noting {
		p.note(w, f.key.Value, f)
	}
}

func (p *placer) note(w *walker, name string, f field) {
	v := valuePlace{origin: originProgram}
	before := len(p.path)
	p.path = append(p.path, name...)
	n, known := p.paths[string(p.path)]
	if !known {
		n = uint64(len(p.keys))
		p.keys = append(p.keys, string(p.path))
		p.paths[string(p.path)] = n
	}
	p.path = p.path[:before]
	v.path = n
	switch {
	case f.value == nil && name == "interval" && before == 0:
		v.origin = originScanInterval
	case f.value == nil:
	default:
		at, file := f.key, w.file
		if f.value.Kind == yaml.AliasNode {
			at = f.value.Alias
		}
		switch {
		case f.inherited || p.taken:
			v.origin, file = originDefaults, w.base.file
		case p.alias || f.merged || f.value.Kind == yaml.AliasNode:
			v.origin = originAnchor
		default:
			v.origin = originSite
		}
		v.file, v.line, v.column = p.files[file], at.Line, at.Column
	}
	p.list = append(p.list, v)
}

// end keeps the places of a site that has no fault.
func (p *placer) end(s *sitemon.Site) {
	if p == nil {
		return
	}
	p.noting = false
	p.sites++
	p.out = appendText(p.out, s.Name)
	p.out = binary.LittleEndian.AppendUint64(p.out, definitionSum(s.Definition))
	p.out = binary.AppendUvarint(p.out, uint64(len(p.list)))
	line := 0
	for _, v := range p.list {
		p.out = append(binary.AppendUvarint(p.out, v.path), v.origin)
		if v.line > 0 {
			p.out = binary.AppendVarint(binary.AppendUvarint(p.out, v.file), int64(v.line-line))
			p.out = binary.AppendUvarint(p.out, uint64(v.column))
			line = v.line
		}
	}
}

// definitionSum tells one definition from another.
func definitionSum(definition []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(definition) // a hash takes everything
	return h.Sum64()
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// pack returns the places of all sites, compressed.
func (p *placer) pack() []byte {
	head := []byte{placesVersion}
	for _, list := range [][]string{p.names, p.keys} {
		head = binary.AppendUvarint(head, uint64(len(list)))
		for _, s := range list {
			head = appendText(head, s)
		}
	}
	head = binary.AppendUvarint(head, uint64(p.sites))
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		return nil // it takes this level
	}
	_, _ = z.Write(head) // a Buffer takes everything
	_, _ = z.Write(p.out)
	_ = z.Close()
	return b.Bytes()
}

// errPlaces is what is found where places can't be read.
var errPlaces = errors.New("the places of a document can't be read")

// maxPlaces bounds what packed places may grow to.
const maxPlaces = 256 << 20

// placesOf finds the places of a site among packed ones: those of its definition
// alone, none where it was another.
func placesOf(packed []byte, name string, definition []byte) (map[string]sitemon.DefinitionKey, error) {
	content, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxPlaces))
	if err != nil {
		return nil, errors.Join(errPlaces, err)
	}
	r := placeReader{rest: content}
	if r.byte() != placesVersion {
		return nil, errPlaces
	}
	files, keys := r.texts(), r.texts()
	sum := definitionSum(definition)
	for range r.count() {
		found := r.text() == name
		same := r.uint64() == sum
		places := r.site(files, keys, found)
		if r.bad {
			return nil, errPlaces
		}
		if found {
			if !same {
				return nil, nil
			}
			return places, nil
		}
	}
	return nil, nil
}

// placeReader reads places. What it can't read makes it bad, and reads as zero.
type placeReader struct {
	rest []byte
	bad  bool
}

func (r *placeReader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *placeReader) byte() byte {
	if b := r.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *placeReader) uint64() uint64 {
	if b := r.take(8); len(b) == 8 {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *placeReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	r.take(uint64(max(n, 0)))
	r.bad = r.bad || n <= 0
	return v
}

func (r *placeReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	r.take(uint64(max(n, 0)))
	r.bad = r.bad || n <= 0
	return v
}

// count reads a number of things that take a byte each at least.
func (r *placeReader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *placeReader) text() string { return string(r.take(r.uvarint())) }

func (r *placeReader) texts() []string {
	list := make([]string, r.count())
	for i := range list {
		list[i] = r.text()
	}
	return list
}

// site reads the places of one site, and keeps them if they are wanted.
func (r *placeReader) site(files, keys []string, wanted bool) map[string]sitemon.DefinitionKey {
	places := map[string]sitemon.DefinitionKey{}
	line := int64(0)
	for range r.count() {
		path, origin := r.uvarint(), r.byte()
		var k sitemon.DefinitionKey
		if origin < originScanInterval {
			file := r.uvarint()
			line += r.varint()
			column := r.uvarint()
			r.bad = r.bad || file >= uint64(len(files)) || column > math.MaxInt32 || line < 0 || line > math.MaxInt32
			if wanted && !r.bad {
				k.File, k.Line, k.Column = files[file], int(line), int(column)
			}
		}
		if r.bad = r.bad || path >= uint64(len(keys)) || int(origin) >= len(origins); r.bad {
			return nil
		}
		if wanted {
			k.Key, k.From = keys[path], origins[origin]
			places[k.Key] = k
		}
	}
	return places
}
