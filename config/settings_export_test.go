package config

// Option is where one setting can be said.
type Option struct {
	Key, Flag, Variable, Default string
}

// Options lists every setting.
func Options() []Option {
	defaults := DefaultSettings()
	var all []Option
	for _, o := range options() {
		x := Option{Key: o.key, Flag: o.flag, Variable: o.variable, Default: o.shown(&defaults)}
		if o.notInFile {
			x.Key = ""
		}
		all = append(all, x)
	}
	return all
}
