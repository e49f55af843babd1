package config

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/knadh/koanf/parsers/dotenv"
	"github.com/spf13/pflag"
)

// readEnvFile reads the file of environment variables. It returns "" if there is
// none, which is a fault only if the flag names one.
func (l *loader) readEnvFile(flags *pflag.FlagSet) (path string, vars map[string]string) {
	path = DefaultSettings().EnvFile
	given := false
	if flags != nil {
		if f := flags.Lookup("env-file"); f != nil && f.Changed {
			path, given = f.Value.String(), true
		}
	}
	if path == "" {
		return "", nil
	}
	content, err := os.ReadFile(path)
	switch {
	case err == nil:
	case given:
		l.fail("--env-file", "%v", err)
		return "", nil
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	default:
		l.fail(path, "%v", err)
		return "", nil
	}
	text := strings.TrimPrefix(string(content), "\ufeff")
	parsed, err := dotenv.Parser().Unmarshal([]byte(text))
	if err != nil {
		l.fail(path+envFaultLine(text, err), "is no list of NAME=value lines (the text is not shown, as it may be secret)")
		return path, nil
	}
	vars = make(map[string]string, len(parsed))
	for name, v := range parsed {
		if s, ok := v.(string); ok {
			vars[name] = s
		}
	}
	return path, vars
}

// envFaultLine finds the line of a fault, as ":3", by what the parser had left:
// its message ends with that, quoted.
func envFaultLine(text string, err error) string {
	_, quoted, _ := strings.Cut(err.Error(), " near ")
	left, unquoteErr := strconv.Unquote(quoted)
	before, ok := strings.CutSuffix(strings.ReplaceAll(text, "\r\n", "\n"), left)
	if unquoteErr != nil || !ok || left == "" {
		return ""
	}
	return ":" + strconv.Itoa(1+strings.Count(before, "\n"))
}
