package availability

import "time"

// percentiles returns the 50th, 95th and 99th percentile by nearest rank. It
// changes the order of ds, which is not empty. Each is found in what is left
// above the one before, which is faster than sorting.
func percentiles(ds []time.Duration) (p50, p95, p99 time.Duration) {
	i, j, k := rank(len(ds), 50), rank(len(ds), 95), rank(len(ds), 99)
	p50 = nth(ds, i)
	p95 = nth(ds[i:], j-i)
	p99 = nth(ds[j:], k-j)
	return p50, p95, p99
}

// rank returns the index of a percentile among n sorted values: the least value
// that at least that share of all values does not exceed.
func rank(n, percent int) int { return max(0, (n*percent+99)/100-1) }

// nth puts ds in such an order that ds[n] is what it would be if ds were sorted,
// nothing before it is greater and nothing after it is less, and returns it.
func nth(ds []time.Duration, n int) time.Duration {
	for lo, hi := 0, len(ds)-1; lo < hi; {
		pivot := median(ds[lo], ds[lo+(hi-lo)/2], ds[hi])
		i, j := lo, hi
		for i <= j {
			for ds[i] < pivot {
				i++
			}
			for pivot < ds[j] {
				j--
			}
			if i <= j {
				ds[i], ds[j] = ds[j], ds[i]
				i++
				j--
			}
		}
		switch {
		case n <= j:
			hi = j
		case n >= i:
			lo = i
		default:
			return ds[n]
		}
	}
	return ds[n]
}

func median(a, b, c time.Duration) time.Duration {
	return max(min(a, b), min(max(a, b), c))
}
