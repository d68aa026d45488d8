"""Ordinary lines in many languages, as many as wanted: what no rule should ever touch.

Each language has a few sentences with gaps and the words that fit them as they stand. Every line
is drawn by lot from a seed, so a report can name the line that raised a false alarm.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import NamedTuple


class Language(NamedTuple):
    """Sentences with gaps, and what may fill them."""

    name: str
    people: str
    places: str
    things: str
    sentences: tuple[str, ...]


ENGLISH = Language(
    "English",
    "Ada|Grace|Tom O'Neil|Dr. A. B. Carter|Priya|Mr. Underhill",
    "York|St. John's|New Orleans|Perth|Stoke-on-Trent|Cork",
    "an umbrella|two tickets|the blue folder|a sourdough loaf|my old bicycle|a library card",
    (
        "{person} asked at {time} whether {thing} could be sent to {place}.",
        "Could you tell me how long the train to {place} takes? I have {number} minutes.",
        "In {place}, {person} paid {number}.50 for {thing}, which is fair.",
        "Please book a table for {digit} on the {day}th; {person} is bringing {thing}.",
    ),
)
GERMAN = Language(
    "German",
    "Jürgen|Frau Groß|Käthe|Herr Müller-Lüdenscheidt|Özlem|Anneliese",
    "Köln|Düsseldorf|Weißenfels|Österreich|Görlitz|Fürth",
    "den Schlüssel|eine Brezel|das Straßenschild|zwei Brötchen|ein Gedicht|die Übersetzung",
    (
        "{person} hat um {time} Uhr angerufen und nach {place} gefragt.",
        "Können Sie mir {thing} bis zum {day}. März nach {place} schicken?",
        "Für {number},50 € bekommt {person} heute {thing}.",
        "Die Zugfahrt nach {place} dauert {number} Minuten, sagt {person}.",
    ),
)
FRENCH = Language(
    "French",
    "Hélène|François|Mme Lefèvre|Zoé|M. Dupré|Anaïs",
    "Orléans|Besançon|Nîmes|Angoulême|Sète|Épinal",
    "un café crème|l’œuvre complète|une crêpe|deux billets|le reçu|une forêt de chênes",
    (
        "À {time}, {person} demandera s’il reste {thing} à {place}.",
        "Pourriez-vous envoyer {thing} à {place} avant le {day} août ?",
        "{person} a payé {number},20 € ; c’était déjà très cher.",
        "Combien de temps faut-il pour aller à {place} ? J’ai {number} minutes.",
    ),
)
SPANISH = Language(
    "Spanish",
    "Íñigo|Begoña|Martín|la señora Núñez|José|Úrsula",
    "Cádiz|Logroño|Mérida|A Coruña|Bogotá|Yucatán",
    "un paraguas|dos entradas|el pingüino|una piñata|la contraseña nueva|un melón",
    (
        "¿A qué hora llega {person} a {place}? Creo que a las {time}.",
        "¡Qué bien! {person} trajo {thing} desde {place}.",
        "Pagué {number} euros por {thing}, ¿es mucho?",
        "El día {day} salimos hacia {place} con {person}.",
    ),
)
PORTUGUESE = Language(
    "Portuguese",
    "João|Conceição|Inês|o senhor Araújo|Luísa|Estêvão",
    "São Paulo|Évora|Brasília|Setúbal|Guimarães|Olhão",
    "um pão de queijo|duas maçãs|a informação|o boné azul|uma canção|o cartão",
    (
        "{person} chegou a {place} às {time} e já pediu {thing}.",
        "Não há comboio para {place} antes do dia {day}.",
        "Por {number} reais, {person} comprou {thing}.",
        "Você pode enviar {thing} para {place} amanhã?",
    ),
)
POLISH = Language(
    "Polish",
    "Żaneta|pan Wójcik|Łukasz|Grażyna|Świętosława|Jędrzej",
    "Łódź|Świnoujście|Gdańsk|Rzeszów|Żywiec|Kołobrzeg",
    "pączek|dwie książki|gęś|żółty parasol|źródło|ćma",
    (
        "Pociąg do stacji {place} odjeżdża o {time}, a {person} jeszcze śpi.",
        "{person} pyta, czy {thing} kosztuje {number} złotych.",
        "Dnia {day} maja będzie tu {thing}, mówi {person}.",
        "Ile minut trwa droga? Około {number}, odpowiada {person}.",
    ),
)
CZECH = Language(
    "Czech",
    "Jiří|Božena|Růžena|pan Dvořák|Zdeněk|Štěpánka",
    "Plzeň|Třebíč|Ústí nad Labem|Kroměříž|Děčín|Žďár",
    "kůň|žlutá růže|dvě knihy|chléb s máslem|deštník|čaj",
    (
        "{person} říká, že v {time} tu bude {thing}.",
        "Vlak do stanice {place} jede {number} minut.",
        "Kolik stojí {thing}? Asi {number} korun, myslí si {person}.",
        "Dne {day}. května přijede {person} ze stanice {place}.",
    ),
)
TURKISH = Language(
    "Turkish",
    "Işıl|Çağrı|Gülşen|Bay Yıldırım|Ömer|İpek",
    "Iğdır|İzmir|Diyarbakır|Şanlıurfa|Ağrı|Muğla",
    "ılık bir çay|iki simit|kırmızı şemsiye|yeni kitaplık|sığ bir göl|üç dilim baklava",
    (
        "{person} saat {time} sularında {place} yolunda olacak.",
        "{thing} için {number} lira ödedim, pahalı mı?",
        "Ayın {day}. günü {place} nasıl bir yer, {person} anlatsın.",
        "{person}, {number} dakikadır {thing} arıyor.",
    ),
)
VIETNAMESE = Language(
    "Vietnamese",
    "chị Hương|anh Đức|cô Nguyệt|bác Tưởng|em Thảo|ông Quỳnh",
    "Huế|Đà Nẵng|Cần Thơ|Hội An|Sa Pa|Vũng Tàu",
    "một ổ bánh mì|hai tô phở|chiếc ô đỏ|quyển từ điển|ly cà phê sữa đá|tấm vé",
    (
        "Lúc {time} {person} sẽ đến {place} để lấy {thing}.",
        "{person} ơi, {thing} giá {number} nghìn đồng phải không?",
        "Ngày {day} chúng tôi đi {place} mất {number} phút.",
        "Xin gửi {thing} cho {person} ở {place} trước buổi trưa.",
    ),
)
RUSSIAN = Language(
    "Russian",
    "Алёна|Пётр Ильич|госпожа Щукина|Юрий|Фёкла|Анна Сергеевна",
    "Псков|Йошкар-Ола|Владивосток|Нижний Новгород|Орёл|Сочи",
    "зонт|два билета|синяя папка|книга о море|чёрный хлеб|варенье",
    (
        "{person} спрашивает, во сколько прибывает поезд {number} на станцию {place}.",
        "Сколько стоит {thing}? Наверное, {number} рублей.",
        "В {time} здесь будет {person}, а потом {thing}.",
        "{day} мая {person} увидит город {place}, ура!",
    ),
)
UKRAINIAN = Language(
    "Ukrainian",
    "Ґалаґан|Оксана Їжакевич|пан Ющенко|Мар’яна|Євген|Зоя",
    "Київ|Львів|Чернівці|Ужгород|Запоріжжя|Суми",
    "парасоля|дві квитанції|ґудзик|жовта сукня|п’ять яблук|вишиванка",
    (
        "О {time} {person} питає, де {thing}.",
        "Скільки коштує {thing}? Мабуть, {number} гривень.",
        "Потяг до міста {place} їде {number} хвилин, каже {person}.",
        "{day} травня місто {place} святкує, і {person} теж.",
    ),
)
GREEK = Language(
    "Greek",
    "η Ελένη|ο Γιώργος|η κυρία Παπαδοπούλου|ο Θανάσης|η Ζωή|ο Αλέξης",
    "Αθήνα|Θεσσαλονίκη|Χανιά|Ρόδος|Πάτρα|Ναύπλιο",
    "μια ομπρέλα|δύο εισιτήρια|ένα ποτήρι νερό|το γαλάζιο τετράδιο|λίγη φέτα|έναν χάρτη",
    (
        "Στις {time} {person} θα ζητήσει {thing}.",
        "Πόσο κάνει; Γύρω στα {number} ευρώ, λέει {person}.",
        "Η πόλη {place} απέχει {number} λεπτά με το τρένο.",
        "Στις {day} Μαΐου {person} φέρνει {thing} από την πόλη {place}.",
    ),
)
HEBREW = Language(
    "Hebrew",
    "דנה|יוסף|גברת לוי|עמית|רבקה|ד״ר כהן",
    "חיפה|תל אביב|באר שבע|ירושלים|צפת|אילת",
    "מטרייה|שני כרטיסים|ספר ישן|כוס תה|מפתח קטן|לחם טרי",
    (
        "בשעה {time} תגיע הרכבת אל {place}, אומר לנו {person}.",
        "כמה עולה {thing}? בערך {number} שקלים.",
        "ביום {day} בחודש נמצא {person} בעיר {place}.",
        "סליחה, איפה יש כאן {thing}? יש לי {number} דקות.",
    ),
)
ARABIC = Language(
    "Arabic",
    "ليلى|السيد حمدان|فاطمة|الدكتور يوسف|نُور|عبد الرحمٰن",
    "القاهرة|فاس|بيروت|صنعاء|الدوحة|حلب",
    "مظلّة|تذكرتين|كتابًا قديمًا|خبزًا طازجًا|فنجان قهوة|مفتاحًا صغيرًا",
    (
        "في الساعة {time} يصل القطار إلى {place} كما تعلمون.",
        "كم سعر هذا؟ حوالي {number} دينارًا، شكرًا لكم يا {person}.",
        "أريد {thing} من فضلك قبل يوم {day} من الشهر.",
        "تبعد مدينة {place} {number} دقيقة، ونريد {thing} قبل السفر.",
    ),
)
PERSIAN = Language(
    "Persian",
    "مینا|آقای رضایی|پروین|دکتر کاوه|شیرین|یاسمن",
    "اصفهان|شیراز|تبریز|یزد|رشت|کرمان",
    "یک چتر|دو بلیت|کتاب\u200cهای کهنه|نان تازه|چای|نقشه\u200cای کوچک",
    (
        "ساعت {time} قطار به {place} می\u200cرسد و {person} آن\u200cجا نیست.",
        "قیمتش چند است؟ نمی\u200cدانم، شاید {number} تومان.",
        "{person} می\u200cخواهد پیش از روز {day} {thing} بخرد.",
        "تا {place} {number} دقیقه راه است، هم\u200cسفرها آماده\u200cاند.",
    ),
)
URDU = Language(
    "Urdu",
    "زینب|جناب قریشی|علی|ڈاکٹر فرح|حمزہ|ثمینہ",
    "لاہور|کراچی|پشاور|ملتان|کوئٹہ|مری",
    "چھتری|دو ٹکٹ|پرانی کتاب|تازہ روٹی|چائے|چھوٹا نقشہ",
    (
        "ریل گاڑی {time} بجے {place} پہنچے گی، براہِ کرم انتظار کیجیے۔",
        "اس کی قیمت کیا ہے؟ شاید {number} روپے، {person} نے کہا۔",
        "کیا {day} تاریخ سے پہلے {thing} مل سکتی ہے؟",
        "{place} یہاں سے {number} منٹ دور ہے، {person} کو معلوم ہے۔",
    ),
)
HINDI = Language(
    "Hindi",
    "श्रीमती गुप्ता|अर्जुन|लक्ष्मी|डॉ॰ शर्मा|कृष्णा|ज्योत्स्ना",
    "दिल्ली|लखनऊ|जयपुर|इन्दौर|वाराणसी|पटना",
    "छाता|दो टिकट|पुरानी किताब|ताज़ी रोटी|अदरक वाली चाय|छोटा नक़्शा",
    (
        "गाड़ी {time} बजे {place} पहुँचेगी, कृपया प्रतीक्षा करें।",
        "इसकी क़ीमत क्या है? शायद {number} रुपये, {person} ने कहा।",
        "क्या {day} तारीख़ से पहले {thing} मिल सकती है?",
        "{place} यहाँ से {number} मिनट दूर है; {person} को पता है।",
    ),
)
BENGALI = Language(
    "Bengali",
    "শ্রেয়া|অর্ণব|লক্ষ্মী|ডঃ সেন|কৃষ্ণা|জ্যোৎস্না",
    "ঢাকা|কলকাতা|চট্টগ্রাম|সিলেট|রাজশাহী|খুলনা",
    "ছাতা|দুটি টিকিট|পুরোনো বই|গরম রুটি|এক কাপ চা|ছোট মানচিত্র",
    (
        "ট্রেন {time} টায় {place} পৌঁছাবে, দয়া করে অপেক্ষা করুন।",
        "এটার দাম কত? হয়তো {number} টাকা, {person} বলল।",
        "{day} তারিখের আগে কি {thing} পাওয়া যাবে?",
        "{place} এখান থেকে {number} মিনিট দূরে, {person} জানে।",
    ),
)
THAI = Language(
    "Thai",
    "คุณสมชาย|คุณมาลี|น้องฝน|อาจารย์วิชัย|พี่ต้น|คุณยาย",
    "เชียงใหม่|ขอนแก่น|ภูเก็ต|อยุธยา|หัวหิน|ลำปาง",
    "ร่มหนึ่งคัน|ตั๋วสองใบ|หนังสือเก่า|ขนมปัง|ชาเย็น|แผนที่เล็กๆ",
    (
        "รถไฟจะถึง{place}เวลา {time} น. {person}รออยู่แล้ว",
        "ราคาเท่าไหร่ครับ ประมาณ {number} บาท {person}บอก",
        "ก่อนวันที่ {day} จะมี{thing}ไหมคะ",
        "จากที่นี่ไป{place}ใช้เวลา {number} นาที",
    ),
)
CHINESE = Language(
    "Chinese",
    "王小明|李老师|陈女士|赵医生|林阿姨|周先生",
    "上海|成都|西安|杭州|哈尔滨|昆明",
    "一把雨伞|两张车票|一本旧书|新鲜的面包|一杯热茶|一张小地图",
    (
        "火车{time}到{place}，{person}已经在站台上等了。",
        "请问这个多少钱？大概{number}元吧，{person}说。",
        "{day}号以前能买到{thing}吗？",
        "从这里到{place}要{number}分钟，别忘了带{thing}。",
    ),
)
JAPANESE = Language(
    "Japanese",
    "山田さん|佐藤先生|鈴木くん|花子ちゃん|高橋部長|ケンさん",
    "京都|札幌|名古屋|那覇|金沢|函館",
    "傘|切符二枚|古い本|焼きたてのパン|お茶|小さな地図",
    (
        "電車は{time}に{place}に着きます。{person}が待っています。",
        "これはいくらですか。だいたい{number}円だと{person}が言っていました。",
        "{day}日までに{thing}を用意していただけますか?",
        "ここから{place}まで{number}分かかります。{thing}をお忘れなく!",
    ),
)
KOREAN = Language(
    "Korean",
    "김민수 씨|이 선생님|박지은 씨|최 부장님|할머니|정우",
    "부산|대구|전주|강릉|제주|광주",
    "우산|표 두 장|오래된 책|갓 구운 빵|따뜻한 차|작은 지도",
    (
        "기차는 {time}에 {place}에 도착합니다. 조금만 기다려 주세요.",
        "이거 얼마예요? 아마 {number}원쯤일 거예요, {person}.",
        "{day}일 전까지 {thing} 좀 구할 수 있을까요?",
        "여기서 {place}까지 {number}분 걸려요. {thing} 챙기셨죠?",
    ),
)
MACHINES = Language(
    "machines",
    "alice|svc-backup|k8s-node-07|root|b2b_sync|i18n-bot",
    "eu-west-1|db01.internal|10.0.4.17|s3://logs-prod|/var/lib/app|us-east-2a",
    "GET /v2/items?page=2|sha1=da39a3ee5e6b|x86_64|utf8mb4|v1.26.4-rc1|0x1f3e",
    (
        "2026-11-{day}T{time}:09Z INFO {person}@{place} {thing} took={number}ms",
        "[{number}] {person}: retry {digit}/9 on {place} ({thing})",
        "{person}:{place}:{digit}:{number}:{thing}",
        "if (n_{digit} > {number} && host != '{place}') {{ log(\"{thing}\"); }} // {person}",
    ),
)

LANGUAGES = (
    ENGLISH, GERMAN, FRENCH, SPANISH, PORTUGUESE, POLISH, CZECH, TURKISH, VIETNAMESE, RUSSIAN,
    UKRAINIAN, GREEK, HEBREW, ARABIC, PERSIAN, URDU, HINDI, BENGALI, THAI, CHINESE, JAPANESE,
    KOREAN, MACHINES,
)  # fmt: skip

_TAILS = ("", "", "", "", "", " 🙂", " 👍🏽", " 👩‍👧 ❤️", " 🇯🇵 1️⃣", " …")


def lines(count: int, seed: int = 0) -> Iterator[tuple[str, str]]:
    """So many lines, each with the name of its language; languages take turns."""
    rng = Random(seed)
    for number in range(count):
        language = LANGUAGES[number % len(LANGUAGES)]
        filled = rng.choice(language.sentences).format(
            person=rng.choice(language.people.split("|")),
            place=rng.choice(language.places.split("|")),
            thing=rng.choice(language.things.split("|")),
            time=f"{rng.randint(6, 22)}:{rng.randint(0, 59):02}",
            number=rng.randint(2, 990),
            day=rng.randint(10, 28),
            digit=rng.randint(2, 9),
        )
        yield language.name, filled + rng.choice(_TAILS)
