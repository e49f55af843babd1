package storetest

import (
	"math/rand/v2"
	"os"
	"strconv"
)

// seedVariable is the environment variable that repeats the random times of a run.
const seedVariable = "SITEMON_TEST_SEED"

// seed returns where the random times of a test begin: somewhere else in every run, so
// that a run need not go through many of them. A test that fails says it.
func (h *harness) seed() uint64 {
	h.Helper()
	seed := rand.Uint64N(1_000_000)
	if text := os.Getenv(seedVariable); text != "" {
		given, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			h.Fatalf("%s: %v", seedVariable, err)
		}
		seed = given
	}
	h.Logf("the same times again: %s=%d", seedVariable, seed)
	return seed
}
