package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"sitemon/probes"
)

// printSteps lists the steps of a site that has several.
func printSteps(w io.Writer, steps []probes.Step) {
	for i, s := range steps {
		fmt.Fprintf(w, "step %d\t%s: ", i+1, shown(s.Name))
		switch {
		case s.DurationUS == 0:
			fmt.Fprintf(w, "not reached\n")
			continue
		case s.Reason != "":
			fmt.Fprintf(w, "failed (%s), ", s.Reason)
		}
		if s.StatusCode != 0 {
			fmt.Fprintf(w, "status %d, ", s.StatusCode)
		}
		fmt.Fprint(w, millis(time.Duration(s.DurationUS)*time.Microsecond))
		if len(s.Captured) > 0 {
			fmt.Fprintf(w, ", captured %s", shown(strings.Join(s.Captured, ", ")))
		}
		fmt.Fprintln(w)
	}
}
