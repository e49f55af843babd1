package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"sitemon/broker"
	"sitemon/config"
	"sitemon/writer"
)

func (a *app) deadLettersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "dead-letters", Short: "Show the messages that the writer could not use, or send them again",
		Long: "Dead-letters deals with the messages that the writer could not use. Kafka keeps them in the\n" +
			"topic " + broker.DeadTopic("KAFKA_TOPIC") + ", with the reason; whatever was wrong, nothing is lost.",
	}
	cmd.AddCommand(a.deadLettersListCommand(), a.deadLettersReplayCommand())
	return cmd
}

func (a *app) deadLettersListCommand() *cobra.Command {
	var asJSON bool
	var reason string
	cmd := &cobra.Command{
		Use: "list", Short: "Print the dead letters, oldest first", Args: cobra.NoArgs,
		Long: "List prints each dead letter: its number, when it was written, where the message came from\n" +
			"(partition:offset), whether it was sent again, and what it holds. The table cuts what is long\n" +
			"and escapes what can't be printed; --json has it all, with bytes that are no text in base64.",
		Example: "  sitemon dead-letters list\n  sitemon dead-letters list --error 'no site' --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLetters(cmd, func(ctx context.Context, b *broker.Broker, s config.Settings) error {
				row, finish := printLetters(a.out)
				if asJSON {
					row, finish = encodeLetters(plainLines{a.out})
				}
				err := writer.DeadLetters(ctx, b, s.Kafka.Topic, func(l writer.Letter) error {
					if !strings.Contains(l.Error, reason) {
						return nil
					}
					return row(l)
				})
				return errors.Join(err, finish())
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print them as JSON")
	cmd.Flags().StringVar(&reason, "error", "", "only those whose reason has this text")
	return cmd
}

func (a *app) deadLettersReplayCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "replay [LETTER…]", Short: "Send dead letters to the writer again",
		Long: "Replay sends the messages of the dead letters named by their numbers, or of all, to their\n" +
			"topic again, as they were, for example after a site was added that they speak of. It remembers\n" +
			"which they are and does not send them a second time. What still can't be used becomes a dead\n" +
			"letter once more.",
		Example: "  sitemon dead-letters replay\n  sitemon dead-letters replay 0:17 0:18\n  sitemon dead-letters replay --error 'no site'",
		RunE: func(cmd *cobra.Command, args []string) error {
			chosen, err := letterNumbers(args)
			if err != nil {
				return err
			}
			return a.withLetters(cmd, func(ctx context.Context, b *broker.Broker, s config.Settings) error {
				n, err := writer.Replay(ctx, b, s.Kafka.Topic, func(l writer.Letter) bool {
					return strings.Contains(l.Error, reason) && (len(chosen) == 0 || chosen[number(l)])
				})
				fmt.Fprintf(a.out, "%d sent to %s again\n", n, s.Kafka.Topic)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&reason, "error", "", "only those whose reason has this text")
	return cmd
}

// withLetters reaches the Kafka that the settings name.
func (a *app) withLetters(cmd *cobra.Command, do func(context.Context, *broker.Broker, config.Settings) error) error {
	s, err := a.settings(cmd)
	if err != nil {
		return err
	}
	if len(s.Kafka.Brokers) == 0 {
		return errors.New("there are no dead letters without Kafka: KAFKA_BROKER is not set")
	}
	b, err := newBroker(s, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer b.Close()
	if err := b.Check(cmd.Context()); err != nil {
		return err
	}
	return do(cmd.Context(), b, s)
}

// number is how a letter is named: its partition and offset.
func number(l writer.Letter) string { return fmt.Sprintf("%d:%d", l.Partition, l.Offset) }

// letterNumbers reads the numbers of letters; one without partition is of the
// first, which as a rule is the only one.
func letterNumbers(args []string) (map[string]bool, error) {
	chosen := map[string]bool{}
	for _, arg := range args {
		partition, offset, ok := strings.Cut(arg, ":")
		if !ok {
			partition, offset = "0", arg
		}
		p, err := strconv.ParseUint(partition, 10, 31)
		o, err2 := strconv.ParseUint(offset, 10, 63)
		if err != nil || err2 != nil {
			return nil, fmt.Errorf("%q is no number of a dead letter, such as 0:17", arg)
		}
		chosen[fmt.Sprintf("%d:%d", p, o)] = true
	}
	return chosen, nil
}

// printLetters prints letters as the rows of a table. The widths are fixed, as
// there may be millions of rows.
func printLetters(w io.Writer) (row func(writer.Letter) error, finish func() error) {
	const format = "%-10s  %-20s  %-10s  %-5s  %-20s  %-60s  %s\n"
	begun := false
	row = func(l writer.Letter) error {
		if !begun {
			begun = true
			fmt.Fprintf(w, format, "LETTER", "TIME", "FROM", "AGAIN", "KEY", "ERROR", "VALUE")
		}
		again, from := "", ""
		if l.Replayed {
			again = "sent"
		}
		if l.FromTopic != "" {
			from = fmt.Sprintf("%d:%d", l.FromPartition, l.FromOffset)
		}
		value := printable(l.Value, 100)
		if l.LeftOut > 0 {
			value = fmt.Sprintf("(%d bytes, too large to be kept: see FROM)", l.LeftOut)
		}
		_, err := fmt.Fprintf(w, format, number(l), l.Time.UTC().Format(time.RFC3339), from, again, printable(l.Key, 20), printable([]byte(l.Error), 60), value)
		return err
	}
	return row, func() error { return nil }
}

// printable returns the first characters of b, those escaped that would not print.
func printable(b []byte, n int) string {
	head := b[:min(len(b), 4*n)]
	s := strconv.Quote(string(head))
	s = strings.ReplaceAll(s[1:len(s)-1], `\"`, `"`)
	if len(head) == len(b) && utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := []rune(s)
	return string(runes[:min(len(runes), n-1)]) + "…"
}

// letterJSON is a dead letter as JSON. A key or value that is no text is in base64
// instead.
type letterJSON struct {
	Letter      string  `json:"letter"`
	Time        string  `json:"time"`
	Error       string  `json:"error"`
	Topic       string  `json:"topic,omitempty"`
	Partition   int     `json:"partition"`
	Offset      int64   `json:"offset"`
	Replayed    bool    `json:"replayed"`
	Key         *string `json:"key"`
	KeyBase64   string  `json:"key_base64,omitempty"`
	Value       *string `json:"value"`
	ValueBase64 string  `json:"value_base64,omitempty"`
	LeftOut     int     `json:"value_left_out_bytes,omitempty"`
}

// encodeLetters prints letters as one JSON object, without holding them all.
func encodeLetters(w io.Writer) (row func(writer.Letter) error, finish func() error) {
	separator := `{"dead_letters":[` + "\n"
	row = func(l writer.Letter) error {
		out := letterJSON{
			Letter: number(l), Time: l.Time.UTC().Format(time.RFC3339Nano), Error: l.Error, Topic: l.FromTopic,
			Partition: l.FromPartition, Offset: l.FromOffset, Replayed: l.Replayed, LeftOut: l.LeftOut,
		}
		out.Key, out.KeyBase64 = textOrBase64(l.Key)
		out.Value, out.ValueBase64 = textOrBase64(l.Value)
		b, err := json.Marshal(out)
		if err == nil {
			_, err = fmt.Fprintf(w, "%s%s", separator, b)
		}
		separator = ",\n"
		return err
	}
	return row, func() error {
		end := "\n]}\n"
		if separator != ",\n" {
			end = separator + "]}\n"
		}
		_, err := io.WriteString(w, end)
		return err
	}
}

// textOrBase64 returns b as text, if it is one: nil stands for no bytes at all.
func textOrBase64(b []byte) (text *string, coded string) {
	if b == nil {
		return nil, ""
	}
	if !utf8.Valid(b) {
		return nil, base64.StdEncoding.EncodeToString(b)
	}
	s := string(b)
	return &s, ""
}
