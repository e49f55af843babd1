package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	tests := map[string]struct {
		events  []string
		missing []string
		want    []string // lines that have to be in the output
		absent  string
		wantErr string
	}{
		"passed": {
			events: []string{
				`{"Action":"output","Package":"a","Test":"TestX","Output":"=== RUN   TestX\n"}`,
				`{"Action":"pass","Package":"a","Test":"TestX"}`,
				`{"Action":"output","Package":"a","Output":"PASS\n"}`,
				`{"Action":"output","Package":"a","Output":"ok  \ta\t0.1s\n"}`,
				`{"Action":"pass","Package":"a"}`,
				`{"Action":"output","Package":"b","Output":"?   \tb\t[no test files]\n"}`,
				`{"Action":"skip","Package":"b"}`,
			},
			want:   []string{"ok  \ta\t0.1s", "tests: 1 passed, 0 failed, 0 skipped; 1 packages tested, 1 without tests; with the race detector"},
			absent: "RUN",
		},
		"skipped, with its reason": {
			events: []string{
				`{"Action":"output","Package":"a","Test":"TestX","Output":"=== RUN   TestX\n"}`,
				`{"Action":"output","Package":"a","Test":"TestX","Output":"    x_test.go:9: no chromium\n"}`,
				`{"Action":"output","Package":"a","Test":"TestX","Output":"--- SKIP: TestX (0.00s)\n"}`,
				`{"Action":"skip","Package":"a","Test":"TestX"}`,
				`{"Action":"pass","Package":"a"}`,
			},
			want: []string{"skipped: a TestX: x_test.go:9: no chromium", "tests: 0 passed, 0 failed, 1 skipped"},
		},
		"a server is missing": {
			events:  []string{`{"Action":"pass","Package":"a","Test":"TestX"}`},
			missing: []string{"kafka: none: no java"},
			want:    []string{"missing: kafka: none: no java\ntests: 1 passed"},
		},
		"failed, with its output": {
			events: []string{
				`{"Action":"output","Package":"a","Test":"TestX","Output":"    x_test.go:9: got 1, want 2\n"}`,
				`{"Action":"fail","Package":"a","Test":"TestX"}`,
				`{"Action":"fail","Package":"a"}`,
			},
			want:    []string{"x_test.go:9: got 1, want 2", "FAILED:  a TestX", "tests: 0 passed, 1 failed"},
			wantErr: "1 failed",
		},
		"a panic ends the package while a test runs": {
			events: []string{
				`{"Action":"output","Package":"a","Test":"TestX","Output":"panic: boom\n"}`,
				`{"Action":"fail","Package":"a"}`,
			},
			want:    []string{"panic: boom", "FAILED:  a TestX (did not end)"},
			wantErr: "1 failed",
		},
		"a package that does not build": {
			events: []string{
				`{"Action":"build-output","ImportPath":"a","Output":"a.go:1:1: syntax error\n"}`,
				`{"Action":"build-fail","ImportPath":"a"}`,
				`{"Action":"fail","Package":"a","FailedBuild":"a"}`,
			},
			want:    []string{"a.go:1:1: syntax error", "FAILED:  a (does not build)"},
			wantErr: "1 failed",
		},
		"a package that fails without a test": {
			events:  []string{`{"Action":"fail","Package":"a"}`},
			want:    []string{"FAILED:  a"},
			wantErr: "1 failed",
		},
		"nothing": {wantErr: "no tests were run"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			r := newReport(&out)
			if err := r.read(strings.NewReader(strings.Join(tt.events, "\n"))); err != nil {
				t.Fatal(err)
			}
			r.summary(true, tt.missing)
			got := ""
			if err := r.verdict(); err != nil {
				got = err.Error()
			}
			if got != tt.wantErr {
				t.Errorf("verdict %q, want %q", got, tt.wantErr)
			}
			for _, w := range tt.want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("output lacks %q:\n%s", w, out.String())
				}
			}
			if tt.absent != "" && strings.Contains(out.String(), tt.absent) {
				t.Errorf("output has %q:\n%s", tt.absent, out.String())
			}
		})
	}
}
