package main

import (
	"image"
	"image/color"
	"testing"
)

// A picture keeps the colours that it has often; of more than 256 the rare ones
// become their neighbours.
func TestPaletted(t *testing.T) {
	for _, c := range []struct {
		name          string
		colours, want int
	}{{"few", 3, 3}, {"as many as fit", 256, 256}, {"more", 300, 256}} {
		t.Run(c.name, func(t *testing.T) {
			img := image.NewNRGBA(image.Rect(0, 0, c.colours, c.colours))
			colour := func(i int) color.NRGBA { return color.NRGBA{uint8(i % 256), uint8(i / 256 * 8), 0, 255} }
			for y := range c.colours {
				for x := range c.colours {
					img.SetNRGBA(x, y, colour(min(x, y))) // the first are the most
				}
			}
			p := paletted(img)
			if len(p.Palette) != c.want {
				t.Errorf("got %d colours, want %d", len(p.Palette), c.want)
			}
			for i := range c.want {
				if got := nrgba(p.At(i, i)); got != colour(i) {
					t.Fatalf("colour %d: got %v, want %v", i, got, colour(i))
				}
			}
			last := nrgba(p.At(c.colours-1, c.colours-1))
			want := colour(c.colours - 1)
			if got := max(last.R, want.R) - min(last.R, want.R); got > 8 {
				t.Errorf("the rarest colour %v became %v", want, last)
			}
		})
	}
}
