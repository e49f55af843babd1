package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"sitemon"
)

// Warning is a variable that looks like one of SiteMon's and is not. It changes
// nothing: Kubernetes makes such variables by itself.
type Warning struct {
	Variable string
	// File is the file of environment variables that holds it, or "".
	File string
	// Suggestion is the variable that was most likely meant, or "".
	Suggestion string
}

// String returns the warning as one line.
func (w Warning) String() string {
	s := "unknown environment variable " + w.Variable
	if w.File != "" {
		s += " in " + w.File
	}
	if w.Suggestion != "" {
		s += "; did you mean " + w.Suggestion + "?"
	}
	return s
}

// Load reads the settings anew: a flag of flags (see [Flags]; nil: none) goes
// before a variable of environ (as from [os.Environ]), that before one of .env,
// that before sitemon.yaml, that before the default. An empty variable counts as
// one that is not set.
//
// The error has every fault at once, one a line with its place, and wraps
// [sitemon.ErrInvalid]; secrets are not in it. The settings that come with it are
// fit for nothing but to set up the log. Load also refuses what is not built yet.
func Load(flags *pflag.FlagSet, environ []string) (Settings, []Warning, error) {
	l := &loader{origins: map[string]origin{}}
	s := DefaultSettings()
	process := variables(environ)
	if dir, _, _ := strings.Cut(process["STATE_DIRECTORY"], ":"); dir != "" {
		s.DataDir = dir
	}

	above := koanf.New(keyDelimiter) // what goes before the config file
	var dotenv map[string]string
	s.EnvFile, dotenv = l.readEnvFile(flags)
	l.loadVariables(above, dotenv, s.EnvFile)
	l.loadVariables(above, process, "")
	l.loadFlags(above, flags)
	all := maps.Clone(dotenv)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, process)
	s.Environ = Environment{all}

	k := koanf.New(keyDelimiter)
	path, content := l.readConfigFile(above, s.Config)
	file := readSettingsFile(path, content, s.Environ)
	l.faults = append(l.faults, file.faults...)
	l.load(k, confmap.Provider(file.values, keyDelimiter))
	l.note(k.Merge(above))
	for key, o := range file.origins {
		if _, overruled := l.origins[key]; !overruled {
			l.origins[key] = o
		}
	}
	l.apply(k, &s)
	s.Config, s.Auth = path, file.auth
	l.derive(&s)
	l.check(&s)
	return s, l.warnings, errors.Join(l.faults...)
}

const keyDelimiter = "."

// loader gathers what Load finds.
type loader struct {
	origins  map[string]origin // by key
	faults   []error
	warnings []Warning
}

// origin is where a setting was said, item by item: one, unless it is a list.
type origin struct {
	// where names the flag, the variable, or the position and the key.
	where string
	items []originItem
}

type originItem struct{ where, raw string }

// said is the origin of a setting that is one text.
func said(where, raw string) origin { return origin{where, []originItem{{where, raw}}} }

// settingFault is one thing that is wrong with the settings.
type settingFault struct{ where, message string }

// Error returns the fault as "where: message".
func (f settingFault) Error() string { return f.where + ": " + f.message }

// Is makes the fault a [sitemon.ErrInvalid].
func (f settingFault) Is(target error) bool { return target == sitemon.ErrInvalid }

func (l *loader) fail(where, format string, args ...any) {
	l.faults = append(l.faults, settingFault{where, fmt.Sprintf(format, args...)})
}

func (l *loader) note(err error) {
	if err != nil {
		l.faults = append(l.faults, fmt.Errorf("read the settings: %w", err))
	}
}

func (l *loader) load(k *koanf.Koanf, p koanf.Provider) { l.note(k.Load(p, nil)) }

// loadVariables loads variables of the environment, or of a file of them. Which
// variable is which setting is what the options say, letter by letter.
func (l *loader) loadVariables(k *koanf.Koanf, vars map[string]string, file string) {
	known := optionBy(func(o option) string { return o.variable })
	names := append(slices.Collect(maps.Keys(known)), tokenVariable)
	slices.Sort(names)
	l.load(k, env.Provider(keyDelimiter, env.Opt{
		EnvironFunc: func() []string {
			var pairs []string
			for _, name := range slices.Sorted(maps.Keys(vars)) {
				pairs = append(pairs, name+"="+vars[name])
			}
			return pairs
		},
		TransformFunc: func(name, text string) (string, any) {
			o, ok := known[name]
			if !ok && strings.HasPrefix(name, "SITEMON_") && name != tokenVariable {
				l.warnings = append(l.warnings, Warning{name, file, suggestVariable(name, names)})
			}
			if !ok || text == "" {
				return "", nil
			}
			where := name
			if file != "" {
				where = file + ": " + name
			}
			l.origins[o.key] = said(where, text)
			return o.key, text
		},
	}))
}

// tokenVariable holds the token with which subcommands ask a daemon; it is no
// setting of the daemon.
const tokenVariable = "SITEMON_TOKEN"

func suggestVariable(name string, names []string) string {
	if s := closest(name, names); s != "" {
		return s
	}
	return closest(strings.TrimPrefix(name, "SITEMON_"), names)
}

// loadFlags loads the flags that were given.
func (l *loader) loadFlags(k *koanf.Koanf, flags *pflag.FlagSet) {
	if flags == nil {
		return
	}
	known := optionBy(func(o option) string { return o.flag })
	l.load(k, posflag.ProviderWithFlag(flags, keyDelimiter, nil, func(f *pflag.Flag) (string, any) {
		o, ok := known[f.Name]
		if !ok || !f.Changed {
			return "", nil
		}
		l.origins[o.key] = said("--"+f.Name, f.Value.String())
		return o.key, f.Value.String()
	}))
}

// readConfigFile returns the path and the content of the config file, or "" if
// there is none.
func (l *loader) readConfigFile(k *koanf.Koanf, fallback string) (path string, content []byte) {
	path = fallback
	given, ok := l.origins["config"]
	if ok {
		path = k.String("config")
	}
	if path == "" {
		return "", nil
	}
	content, err := os.ReadFile(path)
	switch {
	case err == nil:
		return path, content
	case ok:
		l.fail(given.where, "%v", err)
	case !errors.Is(err, fs.ErrNotExist):
		l.fail(path, "%v", err)
	}
	return "", nil
}

// apply reads the texts into the settings.
func (l *loader) apply(k *koanf.Koanf, s *Settings) {
	for _, o := range options() {
		from, ok := l.origins[o.key]
		if !ok {
			continue
		}
		v := o.value(s)
		texts := k.Strings(o.key)
		if v.clear != nil {
			v.clear()
		} else {
			texts = []string{k.String(o.key)}
		}
		for i, text := range texts {
			if err := v.set(text); err != nil {
				l.fail(from.items[i].where, "%s%v", o.echo(from.items[i].raw), err)
			}
		}
	}
}

// echo quotes a bad value as it was written, unless it may hold a password.
func (o option) echo(raw string) string {
	const most = 80
	if o.secret || strings.Contains(raw, "@") {
		return "the value "
	}
	if r := []rune(raw); len(r) > most {
		raw = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q ", raw)
}

// variables turns NAME=value pairs into a map.
func variables(environ []string) map[string]string {
	m := make(map[string]string, len(environ))
	for _, pair := range environ {
		if name, text, ok := strings.Cut(pair, "="); ok && name != "" {
			m[name] = text
		}
	}
	return m
}
