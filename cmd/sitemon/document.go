package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"sitemon"
	"sitemon/config"
	"sitemon/reload"
)

// document is the sites file, or folder of files, as read from disk: what the
// reloader and the commands that look at it have in common.
type document struct {
	files []config.File
	opts  config.ParseOptions
}

// readDocument reads the sites file that the settings name.
func readDocument(s config.Settings) (document, error) {
	files, err := config.ReadSites(s.Sites)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return document{}, noSitesFileError(s.Sites)
	case err != nil:
		return document{}, err
	case len(files) == 0:
		return document{}, fmt.Errorf("the folder %s has no *.yaml or *.yml file", s.Sites)
	}
	return document{files, parseOptions(s)}, nil
}

// noSitesFileError is the path of a sites file that does not exist.
type noSitesFileError string

func (e noSitesFileError) Error() string {
	if e == "" {
		return "no sites file is named: --sites names one"
	}
	return fmt.Sprintf("there is no sites file %s: 'sitemon init' writes one to start from, --sites names another", string(e))
}

func parseOptions(s config.Settings) config.ParseOptions {
	return config.ParseOptions{Source: s.Source, DefaultInterval: s.ScanInterval, Lookup: s.Environ.Lookup}
}

// Hash implements [reload.Content].
func (d document) Hash() string { return config.Hash(d.files) }

// Parse implements [reload.Content].
func (d document) Parse() (sitemon.Document, []sitemon.Problem, error) {
	doc, warnings, err := config.Parse(d.files, d.opts)
	if problems, ok := errors.AsType[sitemon.Problems](err); ok {
		config.AddExcerpts(problems, d.files)
	}
	return doc, warnings, err
}

var _ reload.Content = document{}

// knownSites decodes the sites that the store has.
func knownSites(ctx context.Context, db store) ([]sitemon.Site, sitemon.Generation, error) {
	stored, gen, err := db.Known(ctx)
	if err != nil {
		return nil, gen, err
	}
	decoder := config.NewDecoder()
	sites := make([]sitemon.Site, 0, len(stored))
	for _, d := range stored {
		site, err := decoder.Decode(d.Name, d.JSON)
		if err != nil {
			return nil, gen, fmt.Errorf("decode the stored definition of site %q: %w", d.Name, err)
		}
		sites = append(sites, site)
	}
	return sites, gen, nil
}
