package alerts_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
)

// speakSMTP is a server's side of RFC 5321, as far as a sender of one mail needs.
func speakSMTP(conn net.Conn, mail chan<- string) {
	in := bufio.NewScanner(conn)
	say := func(line string) { fmt.Fprintf(conn, "%s\r\n", line) }
	say("220 test ESMTP")
	var b strings.Builder
	for in.Scan() {
		verb, _, _ := strings.Cut(strings.ToUpper(in.Text()), " ")
		switch verb {
		case "EHLO", "HELO":
			say("250 test")
		case "DATA":
			say("354 go on")
			for in.Scan() && in.Text() != "." {
				b.WriteString(in.Text() + "\n")
			}
			say("250 taken")
		case "QUIT":
			say("221 bye")
			mail <- b.String()
			return
		default:
			say("250 well")
		}
	}
	mail <- b.String()
}
