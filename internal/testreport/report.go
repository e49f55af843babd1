package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// event is one line of go test -json.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build events
	Test        string
	Elapsed     float64
	Output      string
	FailedBuild string
}

// report collects the events of one run of go test.
type report struct {
	out      io.Writer
	output   map[string][]string // lines by package and test, until it has ended
	passed   int
	failed   []string
	skipped  []string
	packages int
	untested int
}

func newReport(out io.Writer) *report {
	return &report{out: out, output: map[string][]string{}}
}

// read takes in the events of in until its end, printing each package's line
// and the whole output of what failed as they come.
func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				fmt.Fprintf(r.out, "%s", line) // go test prints a few lines that are not events
			} else {
				r.take(e)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the output of go test: %w", err)
		}
	}
}

func (r *report) take(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		r.output[key] = append(r.output[key], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.endPackage(e)
		} else {
			r.endTest(e, key)
		}
		delete(r.output, key)
	}
}

func (r *report) endTest(e event, key string) {
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed = append(r.failed, key)
		fmt.Fprint(r.out, strings.Join(r.output[key], ""))
	case "skip":
		r.skipped = append(r.skipped, key+": "+reason(r.output[key]))
	}
}

// endPackage prints a package's own last lines, such as "ok …", as go test does.
func (r *report) endPackage(e event) {
	switch {
	case e.Action == "skip":
		r.untested++
		return
	case e.Action == "fail" && e.FailedBuild != "":
		r.failed = append(r.failed, e.Package+" (does not build)")
	case e.Action == "fail":
		r.unfinished(e.Package)
	}
	r.packages++
	for _, line := range r.output[e.Package+" "] {
		if e.Action == "fail" || !strings.HasPrefix(line, "PASS") && !strings.HasPrefix(line, "coverage:") {
			fmt.Fprint(r.out, line)
		}
	}
}

// unfinished names and prints the tests of a package that ended while they ran:
// after a panic or at the time limit.
func (r *report) unfinished(pkg string) {
	named := slices.ContainsFunc(r.failed, func(f string) bool { return strings.HasPrefix(f, pkg+" ") })
	for key, lines := range r.output {
		if strings.HasPrefix(key, pkg+" Test") {
			fmt.Fprint(r.out, strings.Join(lines, ""))
			r.failed = append(r.failed, key+" (did not end)")
			named = true
		}
	}
	if !named {
		r.failed = append(r.failed, pkg)
	}
}

// reason is what a skipped test said: its output without go test's own lines.
func reason(lines []string) string {
	var said []string
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		said = append(said, line)
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}

// summary prints which servers were missing, what was skipped and what failed,
// and the totals last.
func (r *report) summary(race bool, missing []string) {
	for _, m := range missing {
		fmt.Fprintln(r.out, "missing:", m)
	}
	for _, s := range slices.Sorted(slices.Values(r.skipped)) {
		fmt.Fprintln(r.out, "skipped:", s)
	}
	for _, f := range slices.Sorted(slices.Values(r.failed)) {
		fmt.Fprintln(r.out, "FAILED: ", f)
	}
	how := "with the race detector"
	if !race {
		how = "WITHOUT the race detector (it needs a C compiler)"
	}
	fmt.Fprintf(r.out, "tests: %d passed, %d failed, %d skipped; %d packages tested, %d without tests; %s\n",
		r.passed, len(r.failed), len(r.skipped), r.packages, r.untested, how)
}

// verdict is an error if anything failed or nothing was tested.
func (r *report) verdict() error {
	if len(r.failed) > 0 {
		return fmt.Errorf("%d failed", len(r.failed))
	}
	if r.passed == 0 && len(r.skipped) == 0 {
		return errors.New("no tests were run")
	}
	return nil
}
