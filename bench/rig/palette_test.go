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
			for i := range min(c.want, oftenColours) {
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

// A colour that is rare and like no other is kept, however many shades of others there are.
func TestPaletteKeepsWhatIsLikeNoOther(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 256, 20))
	for x := range 256 {
		for y := range 20 {
			img.Set(x, y, color.NRGBA{uint8(x), uint8(x), uint8(x), 255})
		}
	}
	red := color.NRGBA{192, 38, 38, 255}
	for x := range 10 {
		img.Set(x, 0, red)
	}
	if got := nrgba(paletted(img).At(3, 0)); got != red {
		t.Errorf("red became %v", got)
	}
}
