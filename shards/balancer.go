package shards

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/segmentio/kafka-go"
)

// protocol is the balancer's name. All members of a group must have it in common.
const protocol = "sitemon-sticky"

// claim is what a member of the group says of itself whenever it joins.
type claim struct {
	Generation int32 `json:"g"` // in which it was given its partitions
	Partitions []int `json:"p"`
	Leaving    bool  `json:"l,omitempty"`
}

// sticky is the balancer of one member: it makes its claim, and when the member
// leads the group, it divides the partitions by everybody's claims. Claims survive
// what a member's ID does not: an eviction, or the broker's restart.
type sticky struct {
	topic string

	mu    sync.Mutex
	claim claim
	last  bool // all members of the newest division were leaving
}

// ProtocolName implements kafka.GroupBalancer.
func (s *sticky) ProtocolName() string { return protocol }

// UserData implements kafka.GroupBalancer: it is the member's claim.
func (s *sticky) UserData() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, err := json.Marshal(s.claim)
	if err != nil {
		return nil, fmt.Errorf("encode the claim of a member: %w", err)
	}
	return data, nil
}

// AssignGroups implements kafka.GroupBalancer. A member whose claim can't be read
// has none.
func (s *sticky) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	claims, leaving := make(map[string]claim, len(members)), 0
	for _, m := range members {
		var c claim
		if err := json.Unmarshal(m.UserData, &c); err != nil {
			c = claim{}
		}
		if c.Leaving {
			leaving++
		}
		claims[m.ID] = c
	}
	var ids []int
	for _, p := range partitions {
		if p.Topic == s.topic {
			ids = append(ids, p.ID)
		}
	}
	s.mu.Lock()
	s.last = leaving == len(members)
	s.mu.Unlock()
	assigned := kafka.GroupMemberAssignments{}
	for id, shard := range divide(claims, ids) {
		assigned[id] = map[string][]int{s.topic: shard}
	}
	return assigned
}

// set makes the member claim what it was given in a generation.
func (s *sticky) set(generation int32, partitions []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claim.Generation, s.claim.Partitions = generation, slices.Clone(partitions)
}

// leave makes the member say that it leaves, from its next joining on.
func (s *sticky) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claim.Leaving = true
}

// isLast reports whether nobody is left who could take the partitions over, as
// far as this member knows.
func (s *sticky) isLast() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// divide gives each partition to one of the members that stay, so evenly that no
// two differ by more than one, with as few moves as that allows. A partition is
// its claimant's of the highest generation. The same input always gives the same
// answer, whatever order it comes in.
func divide(claims map[string]claim, partitions []int) map[string][]int {
	var staying []string
	for id, c := range claims {
		if !c.Leaving {
			staying = append(staying, id)
		}
	}
	if len(staying) == 0 {
		return nil
	}
	slices.Sort(staying)
	partitions = slices.Compact(slices.Sorted(slices.Values(partitions)))

	kept, free := claimed(claims, staying, partitions)
	// The fullest members keep the larger quota, so that the fewest have to give.
	slices.SortFunc(staying, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(kept[b]), len(kept[a])), strings.Compare(a, b))
	})
	quota, larger := len(partitions)/len(staying), len(partitions)%len(staying)
	quotas := make(map[string]int, len(staying))
	for i, id := range staying {
		quotas[id] = quota
		if i < larger {
			quotas[id]++
		}
		if n := quotas[id]; len(kept[id]) > n {
			free = append(free, kept[id][n:]...)
			kept[id] = kept[id][:n]
		}
	}
	slices.Sort(free)
	for _, id := range staying {
		n := quotas[id] - len(kept[id])
		kept[id] = slices.Sorted(slices.Values(append(kept[id], free[:n]...)))
		free = free[n:]
	}
	return kept
}

// claimed returns the partitions of each member by the claims, ascending, and
// those that nobody claims.
func claimed(claims map[string]claim, staying []string, partitions []int) (kept map[string][]int, free []int) {
	owner := make(map[int]string, len(partitions))
	for _, id := range staying { // sorted: of two claims of one generation the first counts
		for _, p := range claims[id].Partitions {
			if o, ok := owner[p]; !ok || claims[id].Generation > claims[o].Generation {
				owner[p] = id
			}
		}
	}
	kept = make(map[string][]int, len(staying))
	for _, p := range partitions {
		if id, ok := owner[p]; ok {
			kept[id] = append(kept[id], p)
		} else {
			free = append(free, p)
		}
	}
	return kept, free
}
