package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	retryMin = 100 * time.Millisecond
	retryMax = 5 * time.Second
)

// Check connects to one of the brokers, signs in and asks it for all of them, at
// least one of which must be reachable under its own name. The error says what is
// really wrong, as administrative requests do not. It takes 5 seconds for each
// broker that does not answer.
func (b *Broker) Check(ctx context.Context) error {
	var errs []error
	for _, address := range b.addresses {
		err := b.check(ctx, address)
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("reach Kafka at %s: %w", address, err))
	}
	return errors.Join(errs...)
}

func (b *Broker) check(ctx context.Context, address string) error {
	brokers, err := b.ask(ctx, address)
	if err != nil {
		return b.Explain(err)
	}
	var errs []error
	for _, other := range brokers {
		name := net.JoinHostPort(other.Host, strconv.Itoa(other.Port))
		if name == address {
			return nil
		}
		_, err := b.ask(ctx, name)
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("it sends clients on to %s (advertised.listeners): %w", name, b.Explain(err)))
	}
	if len(errs) == 0 {
		return errors.New("it knows of no broker yet")
	}
	return errors.Join(errs...)
}

// ask signs in to a broker and asks it for all brokers: a refused certificate, or
// a sign-in that is missing, shows only at the first real answer.
func (b *Broker) ask(ctx context.Context, address string) ([]kafka.Broker, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	dialer := *b.dialer
	dialer.DialFunc = func(dialing context.Context, network, address string) (net.Conn, error) {
		c, err := dial(dialing, network, address)
		if err == nil { // the library looks at no context from here on
			context.AfterFunc(ctx, func() { _ = c.Close() })
		}
		return c, err
	}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	var brokers []kafka.Broker
	if err == nil {
		defer func() { _ = conn.Close() }()
		brokers, err = conn.Brokers()
	}
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return brokers, err
}

// Await returns once Kafka can be reached, or ctx has ended; what says what for. It
// logs once that it waits and why, and once that Kafka is there.
func (b *Broker) Await(ctx context.Context, what string) error {
	for wait, told := retryMin, false; ; wait = min(2*wait, retryMax) {
		err := b.Check(ctx)
		switch {
		case err == nil && wait == retryMin:
			return nil
		case err == nil:
			b.Refresh() // or the transport repeats the error of before for some seconds
			if told {
				b.log.Info("Kafka is there", "for", what)
			}
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("wait for Kafka, for %s: %w (%w)", what, ctx.Err(), err)
		case !told && wait > 2*retryMin: // not for a broker that is just starting
			b.log.Warn("waiting for Kafka", "for", what, "err", err)
			told = true
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for Kafka, for %s: %w (%w)", what, ctx.Err(), err)
		case <-time.After(wait):
		}
	}
}
