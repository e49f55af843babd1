package probes

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"sitemon"
)

// maxCapture is how many bytes a captured value may have: room for the largest
// tokens that web servers take back in a header.
const maxCapture = 8 << 10

// captures are the values that a step takes out of its answer.
type captures struct {
	verdict

	step   *sitemon.Step
	values []string
	faults []string // why a value can't be sent on; "": it can
}

// find looks for the values, and hides them from all that is told from here on.
func (c *captures) find(ans *judged) {
	for i := range c.step.Capture {
		value, fault := c.captured(&c.step.Capture[i], ans)
		switch {
		case fault == "":
			fault = captureFault(value)
		case c.attempt.report.BodyTruncated && c.step.Capture[i].Header == "":
			fault += fmt.Sprintf(" in the first %d bytes", len(ans.body))
		}
		if len(value) <= maxCapture {
			c.attempt.hide(value)
		}
		c.values, c.faults = append(c.values, value), append(c.faults, fault)
	}
}

// keep gives the values to the steps that follow. One that is not there, or can't be
// sent on, is as an expectation that was not met.
func (c *captures) keep(line *stepLine) {
	for i, fault := range c.faults {
		of, value := &c.step.Capture[i], c.values[i]
		if fault == "" {
			c.attempt.flow.values[of.Name] = value
			line.captured = append(line.captured, of.Name)
		}
		if c.quiet(fault == "") {
			continue
		}
		where, reason := captureSource(of)
		seen := fault
		if fault == "" {
			seen = strconv.Itoa(len(value)) + " bytes"
		}
		c.note(fault == "", sitemon.OutcomeDown, reason, Check{Name: "capture " + of.Name, Expected: "a value of " + where, Seen: seen},
			fmt.Sprintf("nothing to capture for %s from %s: %s", of.Name, where, fault))
	}
}

// pace judges how long the step took by itself.
func (c *captures) pace(took time.Duration) {
	if c.step.Expect == nil {
		return
	}
	want := c.step.Expect.Latency
	if want <= 0 || c.quiet(took <= want) {
		return
	}
	c.note(took <= want, sitemon.OutcomeDegraded, sitemon.ReasonLatency,
		Check{Name: "own latency", Expected: "at most " + want.String(), Seen: shortly(took).String()},
		fmt.Sprintf("took %s by itself, expected at most %s", shortly(took), want))
}

// captureSource says where a value is looked for, and what it is when it is not
// there.
func captureSource(c *sitemon.Capture) (where string, reason sitemon.Reason) {
	switch {
	case c.Header != "":
		return "header " + c.Header, sitemon.ReasonHeader
	case c.JSON != "":
		return "json " + c.JSON, sitemon.ReasonJSON
	}
	return "regex " + strconv.Quote(c.Regex.String()), sitemon.ReasonBody
}

// captured finds a value, or says what is there instead.
func (v *verdict) captured(c *sitemon.Capture, ans *judged) (value, fault string) {
	switch {
	case c.Header != "":
		if values := ans.header.Values(c.Header); len(values) > 0 {
			return strings.TrimSpace(values[0]), ""
		}
		return "", "absent"
	case c.JSON != "":
		if !v.attempt.report.BodyTruncated && !json.Valid(ans.body) {
			return "", "the body is no JSON"
		}
		switch found := gjson.GetBytes(ans.body, c.JSON); found.Type {
		case gjson.Null:
			if found.Exists() {
				return "", "null"
			}
			return "", "absent"
		case gjson.String:
			return found.Str, ""
		default:
			return found.Raw, ""
		}
	}
	a := v.attempt
	text, match, complete := c.Regex.FirstGroup(ans.body, func() bool { return a.ctx.Err() != nil })
	switch {
	case !complete:
		if v.late == nil {
			v.late = failf(sitemon.ReasonMonitorOverloaded, a.ctx.Err(), "the expression %q could not be matched in time against %d bytes", c.Regex.String(), len(ans.body))
		}
		return "", "not known"
	case !match:
		return "", "no match"
	}
	return string(text), ""
}

// captureFault says why a value can't be sent on, or "". With a line break in it,
// a server could write headers into the requests that follow.
func captureFault(value string) string {
	switch {
	case value == "":
		return "an empty value"
	case len(value) > maxCapture:
		return fmt.Sprintf("%d bytes, at most %d are captured", len(value), maxCapture)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return "a value with control characters"
	}
	return ""
}
