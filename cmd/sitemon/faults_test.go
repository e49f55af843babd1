package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sitemon/internal/testkit"
)

// faultPlan is how TestFaults is run: for CI short, and by TEST_FAULTS (such as
// 10m) and TEST_FAULTS_SITES as long and as hard as wanted. TEST_FAULTS_SEED
// repeats a schedule.
type faultPlan struct {
	seed     uint64
	duration time.Duration
	sites    int
}

func newFaultPlan(t *testing.T) faultPlan {
	p := faultPlan{seed: uint64(time.Now().UnixNano()), duration: 2 * time.Minute, sites: 200}
	var err error
	if s := os.Getenv("TEST_FAULTS"); s != "" {
		if p.duration, err = time.ParseDuration(s); err != nil {
			t.Fatalf("TEST_FAULTS: %v", err)
		}
	}
	if s := os.Getenv("TEST_FAULTS_SITES"); s != "" {
		if p.sites, err = strconv.Atoi(s); err != nil {
			t.Fatalf("TEST_FAULTS_SITES: %v", err)
		}
	}
	if s := os.Getenv("TEST_FAULTS_SEED"); s != "" {
		if p.seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("TEST_FAULTS_SEED: %v", err)
		}
	}
	return p
}

// cluster is the distributed set-up: real processes, a real broker, a real
// database.
type cluster struct {
	t        *testing.T
	dir      string
	binary   string
	kafka    *testkit.KafkaServer
	postgres *testkit.PostgresServer
	parts    []*part
	deleted  []time.Time // when the topic was
}

// part is one process of ours, which is started again whenever it is killed.
type part struct {
	c    *cluster
	name string
	args []string

	mu  sync.Mutex
	cmd *exec.Cmd
	log *os.File
}

// network is what lies between our processes and the servers.
type network bool

const (
	straight network = false
	cuttable network = true // a proxy that the test can cut
)

// newCluster builds the program as users do, without the race detector, and
// starts broker and database.
func newCluster(t *testing.T, network network) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir()}
	c.kafka = testkit.StartKafka(t, testkit.KafkaOptions{Proxied: network == cuttable})
	c.postgres = testkit.StartPostgres(t, testkit.PostgresOptions{Proxied: network == cuttable})
	c.binary = filepath.Join(c.dir, "sitemon")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", c.binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	return c
}

// add makes a part with a data folder of its own.
func (c *cluster) add(name string, args ...string) *part {
	p := &part{c: c, name: name, args: append(args,
		"--instance", name, "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(c.dir, name), "--log-format", "json")}
	log, err := os.Create(filepath.Join(c.dir, name+".log"))
	if err != nil {
		c.t.Fatal(err)
	}
	p.log = log
	c.t.Cleanup(func() { p.kill(); _ = log.Close() })
	c.parts = append(c.parts, p)
	return p
}

func (p *part) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	cmd := exec.Command(p.c.binary, p.args...)
	cmd.Dir = p.c.dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + p.c.dir,
		"KAFKA_BROKER=" + p.c.kafka.Addr, "POSTGRES_DSN=" + p.c.postgres.DSN,
	}
	cmd.Stderr = p.log
	if err := cmd.Start(); err != nil {
		p.c.t.Errorf("start %s: %v", p.name, err)
		return
	}
	p.cmd = cmd
}

func (p *part) signal(s os.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(s)
	}
}

// kill ends the process as a crash does.
func (p *part) kill() {
	p.signal(syscall.SIGCONT)
	p.signal(syscall.SIGKILL)
	p.wait()
}

// stop ends the process as a service manager does, and returns its exit status.
func (p *part) stop() int {
	p.signal(syscall.SIGTERM)
	return p.wait()
}

func (p *part) wait() int {
	p.mu.Lock()
	cmd := p.cmd
	p.cmd = nil
	p.mu.Unlock()
	if cmd == nil {
		return -1
	}
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

// logged returns the log of a part so far.
func (p *part) logged() string {
	b, _ := os.ReadFile(p.log.Name())
	return string(b)
}

// writeSites writes a sites file of n sites of one second, at a target.
func (c *cluster) writeSites(n int, target string) string {
	var doc strings.Builder
	doc.WriteString("defaults: { interval: 1s }\nsites:\n")
	for i := range n {
		fmt.Fprintf(&doc, "  - { name: s%d, url: %s/s%d }\n", i, target, i)
	}
	save(c.t, c.dir, "sites.yaml", doc.String())
	return filepath.Join(c.dir, "sites.yaml")
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// run lets faults happen, one after the other, until the time is over.
func (p faultPlan) run(t *testing.T, faults []fault) (happened map[string]int) {
	t.Helper()
	random := rand.New(rand.NewPCG(p.seed, 0))
	ctx, cancel := context.WithTimeout(t.Context(), p.duration)
	defer cancel()
	first := random.Perm(len(faults)) // each kind at least once, if there is the time
	happened = map[string]int{}
	for ctx.Err() == nil {
		f := choose(faults, random)
		if len(first) > 0 {
			f, first = faults[first[0]], first[1:]
		}
		f.run(ctx, random)
		happened[f.name]++
		pause(ctx, time.Duration(random.IntN(1000))*time.Millisecond)
	}
	return happened
}

// choose picks a fault by weight.
func choose(faults []fault, random *rand.Rand) fault {
	total := 0
	for _, f := range faults {
		total += f.weight
	}
	n, i := random.IntN(total), 0
	for ; n >= faults[i].weight; i++ {
		n -= faults[i].weight
	}
	return faults[i]
}
