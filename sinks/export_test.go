package sinks

import "os"

// FaultyDisk is a disk that fails with what Fault returns, after it wrote half of
// what it should.
type FaultyDisk struct{ Fault func() error }

func (d FaultyDisk) create(path string) (*os.File, error) {
	if err := d.Fault(); err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return systemDisk{}.create(path)
}

func (d FaultyDisk) write(f *os.File, b []byte) (int, error) {
	if err := d.Fault(); err != nil {
		n, _ := f.Write(b[:len(b)/2])
		return n, &os.PathError{Op: "write", Path: f.Name(), Err: err}
	}
	return f.Write(b)
}

// NewSpooledOn is NewSpooled on such a disk.
func NewSpooledOn(opts SpooledOptions, d FaultyDisk) (*Spooled, error) { return newSpooled(opts, d) }
