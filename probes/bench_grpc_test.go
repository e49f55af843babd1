package probes_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"sitemon/probes"
)

// serveBenchGRPC is serveBench for the kind grpc.
func serveBenchGRPC() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	go func() { _ = server.Serve(l) }()
	fmt.Println(l.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// serveBenchWS is serveBench for the kind ws.
func serveBenchWS() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		echoWS(make(chan error, 1))(r.Context(), c)
	})}
	go func() { _ = server.Serve(l) }()
	fmt.Println(l.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// BenchmarkGRPC compares a probe with what grpc's own client needs for the same
// question on a fresh connection.
func BenchmarkGRPC(b *testing.B) {
	addr := startBenchServer(b, "grpc")
	b.Run("client", func(b *testing.B) {
		measure(b, func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			c, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				return err
			}
			r, err := grpc_health_v1.NewHealthClient(c).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
			if err == nil && r.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
				err = errors.New(r.GetStatus().String())
			}
			return errors.Join(err, c.Close())
		})
	})
	b.Run("probe", func(b *testing.B) {
		set, site := newSet(b, probes.Options{}), newSite(b, "grpc://"+addr)
		measure(b, func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			if r := set.Probe(ctx, site); !r.Outcome.Good() {
				return errors.New(r.Error)
			}
			return nil
		})
	})
}
