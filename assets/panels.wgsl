// Draws egui's triangles so that half-transparent paint keeps its colour.
//
// egui multiplies a colour by its opacity in sRGB's code values, whereas the picture is blended in linear light. Here the
// opacity is taken out of both colours, they are mixed in code values, as egui wants it for text, and what comes of it is
// multiplied by its opacity in linear light. Else the soft edges of everything light would be dark.
//
// The bindings, the layout of a corner and the names of both entry points are those of bevy_egui 0.42's pipeline.

// From points of the screen to clip space: point · zoom + shift.
struct Screen {
    zoom: vec2f,
    shift: vec2f,
}
@group(0) @binding(0) var<uniform> screen: Screen;

#ifdef BINDLESS
@group(1) @binding(0) var pictures: binding_array<texture_2d<f32>>;
@group(1) @binding(1) var samplers: binding_array<sampler>;
// Direct3D 12 takes a structure here, and no bare number (wgpu's issue 5683).
struct Choice {
    picture: u32,
}
var<immediate> choice: Choice;

fn look_up(place: vec2f) -> vec4f {
    return textureSample(pictures[choice.picture], samplers[choice.picture], place);
}
#else
@group(1) @binding(0) var picture: texture_2d<f32>;
@group(1) @binding(1) var filtering: sampler;

fn look_up(place: vec2f) -> vec4f {
    return textureSample(picture, filtering, place);
}
#endif

struct Corner {
    @builtin(position) clip: vec4f,
    @location(0) ink: vec4f,
    @location(1) place: vec2f,
}

@vertex
fn vs_main(@location(0) point: vec2f, @location(1) place: vec2f, @location(2) ink: vec4f) -> Corner {
    var corner: Corner;
    corner.clip = vec4f(fma(point, screen.zoom, screen.shift), 0.0, 1.0);
    corner.place = place;
    corner.ink = ink;
    return corner;
}

// sRGB's transfer function (IEC 61966-2-1) of one channel: from light to a code value in 0..1, and back.
fn encode(light: f32) -> f32 {
    return select(1.055 * pow(light, 1.0 / 2.4) - 0.055, 12.92 * light, light <= 0.0031308);
}

fn decode(code: f32) -> f32 {
    return select(pow((code + 0.055) / 1.055, 2.4), code / 12.92, code <= 0.04045);
}

// A colour without the opacity that it has been multiplied by. What has none is light that is only added, and stays.
fn opaque(paint: vec3f, opacity: f32) -> vec3f {
    return paint / select(1.0, opacity, opacity > 0.0);
}

@fragment
fn fs_main(corner: Corner) -> @location(0) vec4f {
    let texel = look_up(corner.place);
    let code = vec3f(encode(texel.r), encode(texel.g), encode(texel.b));
    let mixed = min(opaque(code, texel.a), vec3f(1.0)) * opaque(corner.ink.rgb, corner.ink.a);
    let light = vec3f(decode(mixed.r), decode(mixed.g), decode(mixed.b));
    // Added light keeps the texel's opacity alone.
    let strength = texel.a * select(1.0, corner.ink.a, corner.ink.a > 0.0);
    return vec4f(light * strength, texel.a * corner.ink.a);
}
