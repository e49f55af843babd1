package main

import (
	"cmp"
	"image"
	"image/color"
	"maps"
	"slices"
)

// paletted is a picture of a page in at most 256 colours: those that it has most
// often, and the nearest of them for all others. Pages have few colours, and what
// is rare is the edges of letters.
func paletted(img image.Image) *image.Paletted {
	b := img.Bounds()
	counts := map[color.NRGBA]int{}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			counts[nrgba(img.At(x, y))]++
		}
	}
	often := slices.SortedFunc(maps.Keys(counts), func(a, c color.NRGBA) int {
		return cmp.Or(cmp.Compare(counts[c], counts[a]), cmp.Compare(a.R, c.R), cmp.Compare(a.G, c.G), cmp.Compare(a.B, c.B))
	})
	p := image.NewPaletted(b, nil)
	for _, c := range often[:min(256, len(often))] {
		p.Palette = append(p.Palette, c)
	}
	index := make(map[color.NRGBA]uint8, len(often))
	for _, c := range often {
		index[c] = uint8(p.Palette.Index(c))
	}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			p.SetColorIndex(x, y, index[nrgba(img.At(x, y))])
		}
	}
	return p
}

func nrgba(c color.Color) color.NRGBA { return color.NRGBAModel.Convert(c).(color.NRGBA) }
