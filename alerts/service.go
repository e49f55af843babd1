package alerts

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"sitemon"
)

// service is a service of the notification library, by its URL.
type service struct{ url string }

// open makes the library's service.
func (s service) open() (sender types.Service, err error) {
	defer func() { // its readers of addresses are many
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: the address makes the notification library fail: %v", sitemon.ErrInvalid, r)
		}
	}()
	r := router.ServiceRouter{}
	r.SetLogger(silent{}) // it would log addresses, tokens included
	sender, err = r.Locate(s.url)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", sitemon.ErrInvalid, err)
	}
	return sender, nil
}

func (s service) check() error {
	if strings.HasPrefix(s.url, "matrix:") { // to open it is to sign in
		if _, err := url.Parse(s.url); err != nil {
			return fmt.Errorf("%w: the address can't be read", sitemon.ErrInvalid)
		}
		return nil
	}
	_, err := s.open()
	return err
}

// send sends a title and a text. Where the library, which knows no context, does not
// come back in time, its goroutine is left to the time limit of its own client.
func (s service) send(ctx context.Context, n sitemon.Notification) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- fmt.Errorf("the notification library failed: %v", r)
			}
		}()
		done <- s.tell(n)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s service) tell(n sitemon.Notification) error {
	sender, err := s.open()
	if err != nil {
		return err
	}
	for _, m := range messages(sender, n) {
		if err := sender.Send(m.text, &m.params); err != nil {
			return err
		}
	}
	return nil
}

// message is what a service is given.
type message struct {
	text   string
	params types.Params
}

func messages(sender types.Service, n sitemon.Notification) []message {
	switch {
	case sender.GetID() == pagerDuty:
		return pagerDutyEvents(n)
	case takesTitle(sender) && sender.GetID() != "generic": // which drops it unless it sends JSON
		return []message{{Text(n), types.Params{types.TitleKey: Title(n)}}}
	}
	return []message{{Title(n) + "\n" + Text(n), types.Params{}}}
}

// takesTitle reports whether a service has the parameter title: one that it does
// not have is an error. The library says so only in the tags of its configurations.
func takesTitle(s types.Service) bool {
	v := reflect.Indirect(reflect.ValueOf(s))
	if v.Kind() != reflect.Struct {
		return false
	}
	config := v.FieldByName("Config")
	if !config.IsValid() {
		return false
	}
	t := config.Type()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return false
	}
	for field := range t.Fields() {
		for key := range strings.SplitSeq(field.Tag.Get("key"), ",") {
			if strings.EqualFold(strings.TrimSpace(key), types.TitleKey) {
				return true
			}
		}
	}
	return false
}

// silent is a logger that says nothing.
type silent struct{}

func (silent) Print(...any)          {}
func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

// Services lists the schemes of channel URLs that the notification library knows.
func Services() []string {
	r := router.ServiceRouter{}
	return r.ListServices()
}
