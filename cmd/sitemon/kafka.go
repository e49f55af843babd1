package main

import (
	"context"
	"log/slog"
	"time"

	"sitemon/broker"
	"sitemon/config"
	"sitemon/writer"
)

// newBroker returns the way to the Kafka that the settings name.
func newBroker(s config.Settings, log *slog.Logger) (*broker.Broker, error) {
	k := s.Kafka
	return broker.New(broker.Options{
		Addresses: k.Brokers, ClientID: "sitemon-" + s.Instance, Logger: log,
		TLS: k.TLS.Enabled, CA: k.TLS.CA, Cert: k.TLS.Cert, Key: k.TLS.Key,
		SASLMechanism: k.SASL.Mechanism, Username: k.SASL.Username, Password: k.SASL.Password,
	})
}

// newWriter makes what records the reports that Kafka brings.
func (d *daemon) newWriter() *writer.Writer {
	topic := d.settings.Kafka.Topic
	return writer.New(writer.Options{
		Broker: d.broker, Topic: topic, Group: writer.GroupName(topic), Store: d.shared, Recorded: d.recorded,
		Zone: d.settings.SeedTimezone, Logger: d.log, Registerer: d.registry,
	})
}

// write makes the topics and then records what comes, once the database is there.
func (d *daemon) write(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-d.shared.Prepared():
	}
	return d.writer.Run(ctx)
}

// How long [daemon.makeTopics] waits between two tries.
const (
	topicsFirstWait = time.Second
	topicsLongWait  = time.Minute
)

// makeTopics waits for Kafka and makes the topics that are missing. Where that is
// not allowed, it says once what to make, and goes on trying until all are there.
func (d *daemon) makeTopics(ctx context.Context) error {
	topics, said := broker.ReportTopics(d.settings.Kafka.Topic), false
	for wait := topicsFirstWait; ; wait = min(2*wait, topicsLongWait) {
		if d.broker.Await(ctx, "reports") != nil { // ctx ended
			return nil
		}
		err := d.broker.EnsureTopics(ctx, topics...)
		if err == nil {
			break
		}
		if !said && ctx.Err() == nil {
			said = true
			d.log.Error("topics are missing and could not be made: this is tried again", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		d.broker.Refresh() // or what was known stays for some seconds
	}
	if said {
		d.log.Info("all topics are there")
	}
	<-ctx.Done()
	return nil
}
